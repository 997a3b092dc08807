/// The section `ValidationSettings` of task settings: DMS's own comparison after the load.
public struct ValidationSettings: Codable, Hashable, Sendable {
  /// Whether it runs.
  public var enableValidation: Bool
  /// Nothing is loaded: what is there is compared, once. Left out where something is loaded.
  public var validationOnly: Bool?
  /// After so many failures of the task validation stops.
  public var failureMaxCount: Int?
  /// After so many failures of a table its validation stops.
  public var tableFailureMaxCount: Int?

  enum CodingKeys: String, CodingKey {
    case enableValidation = "EnableValidation"
    case validationOnly = "ValidationOnly"
    case failureMaxCount = "FailureMaxCount"
    case tableFailureMaxCount = "TableFailureMaxCount"
  }
}
