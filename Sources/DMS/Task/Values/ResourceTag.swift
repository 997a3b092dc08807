/// A tag of a resource.
public struct ResourceTag: Codable, Hashable, Sendable {
  /// The key.
  public var key: String
  /// The value.
  public var value: String
  /// The resource, in answers that speak of several.
  public var resourceARN: String?

  enum CodingKeys: String, CodingKey {
    case key = "Key"
    case value = "Value"
    case resourceARN = "ResourceArn"
  }

  /// Makes a tag.
  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}
