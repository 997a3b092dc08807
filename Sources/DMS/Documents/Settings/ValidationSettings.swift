/// The section `ValidationSettings` of task settings: DMS's own comparison after the load.
public struct ValidationSettings: Codable, Hashable, Sendable {
  /// Whether it runs.
  public var enableValidation: Bool

  enum CodingKeys: String, CodingKey {
    case enableValidation = "EnableValidation"
  }
}
