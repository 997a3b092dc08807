import Foundation
import PrivateCluster
import TestSupport
import Testing

@Suite(.inTurn) struct StartFailureTests {
  /// Starts with these options in a folder of the test's own and expects it to fail with nothing left in the folder.
  private func failure(
    folder: String = "/tmp/merge-engine-failure.\(UUID().uuidString.prefix(8))",
    _ change: (inout ClusterOptions) -> Void
  ) async throws -> String {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var options = ClusterOptions()
    options.parentDirectory = folder
    change(&options)
    let error = await #expect(throws: PrivateClusterError.self) { try await PrivateCluster.start(options) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    return try #require(error).description
  }

  @Test func `a setting the server refuses is named in the error`() async throws {
    let message = try await failure { $0.settings = ["no_such_setting": "1"] }
    #expect(message.contains("starting the server failed"))
    #expect(message.contains("unrecognized configuration parameter \"no_such_setting\""))
  }

  @Test func `a locale initdb refuses is named in the error`() async throws {
    let message = try await failure { $0.locale = "xx_XX" }
    #expect(message.contains("initdb failed"))
    #expect(message.contains("xx_XX"))
  }

  @Test(arguments: ["port", "Listen_Addresses", "unix_socket_directories"])
  func `settings that are the cluster's own are refused`(name: String) async throws {
    #expect(try await failure { $0.settings = [name: "1"] }.contains("belongs to the cluster itself"))
  }

  @Test func `a setting can't smuggle in a second one`() async throws {
    #expect(try await failure { $0.settings = ["work_mem": "1MB'\nport = '1"] }.contains("line break"))
    #expect(try await failure { $0.settings = ["work_mem = '1MB'\nport": "1"] }.contains("not the name of a setting"))
  }

  @Test func `a password with a line break is refused`() async throws {
    #expect(try await failure { $0.loopbackPassword = "a\nb" }.contains("line break"))
  }

  @Test func `a folder too deep for a socket is refused before initdb`() async throws {
    let deep = "/tmp/merge-engine-failure." + String(repeating: "d", count: 80)
    let message = try await failure(folder: deep) { _ in }
    #expect(message.contains("107 are possible"))
  }

  @Test func `a parent folder that is not there is named in the error`() async throws {
    let message = try await failure { $0.parentDirectory = "/tmp/merge-engine-not-there" }
    #expect(message.contains("can't make a folder in /tmp/merge-engine-not-there"))
  }

  @Test func `programs that are not where they were said to be`() async throws {
    let message = try await failure { $0.binaryDirectory = "/usr/share" }
    #expect(message.contains("the option says /usr/share"))
    #expect(message.contains("apt-get install postgresql"))
  }
}
