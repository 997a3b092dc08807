/// The state of the connection between a replication instance and an endpoint.
public struct EndpointConnection: Codable, Hashable, Sendable {
  /// The instance.
  public var replicationInstanceARN: String?
  /// The endpoint.
  public var endpointARN: String?
  /// `testing`, `successful`, `failed` or `deleting`.
  public var status: String
  /// Why it failed.
  public var lastFailureMessage: String?
  /// The endpoint's name.
  public var endpointIdentifier: String?
  /// The instance's name.
  public var replicationInstanceIdentifier: String?

  /// Whether the last test succeeded; without that a task can be neither made nor started.
  public var isSuccessful: Bool { status == "successful" }

  /// Whether a test is running.
  public var isTesting: Bool { status == "testing" }

  enum CodingKeys: String, CodingKey {
    case replicationInstanceARN = "ReplicationInstanceArn"
    case endpointARN = "EndpointArn"
    case status = "Status"
    case lastFailureMessage = "LastFailureMessage"
    case endpointIdentifier = "EndpointIdentifier"
    case replicationInstanceIdentifier = "ReplicationInstanceIdentifier"
  }
}
