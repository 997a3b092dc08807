/// What initdb makes, without a server: for clusters that start from a copy of it, see
/// ``PrivateCluster/start(_:copying:)``.
///
/// Like a cluster it vanishes with the last reference and with this process.
public final class ClusterTemplate: Sendable {
  /// The data folder.
  let dataDirectory: String
  private let keeper: Keeper

  /// Runs initdb, with the locale, the encoding and the password of the options; the others are for the clusters.
  ///
  /// - Throws: ``PrivateClusterError``, as ``PrivateCluster/start(_:copying:)``.
  public init(_ options: ClusterOptions = .init()) async throws {
    keeper = try await Keeper(options, binaries: try await PostgresBinaries.find(in: options.binaryDirectory))
    dataDirectory = try await keeper.createDirectory() + "/data"
    try await keeper.initialize(password: options.loopbackPassword)
  }
}
