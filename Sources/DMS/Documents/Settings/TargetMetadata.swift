/// The section `TargetMetadata` of task settings, as far as a full load into PostgreSQL uses it.
public struct TargetMetadata: Codable, Hashable, Sendable {
  /// The schema on the target; empty means the source schema's name, or what a mapping rule makes of it.
  public var targetSchema: String
  /// Whether LOB columns are loaded at all; if so, one of the two modes must be set.
  public var supportLobs: Bool
  /// LOBs whole, one by one.
  public var fullLobMode: Bool
  /// Kilobytes a piece in full mode; AWS recommends 64.
  public var lobChunkSize: Int
  /// LOBs in bulk, each cut off at ``lobMaxSize``.
  public var limitedSizeLobMode: Bool
  /// Kilobytes that a LOB keeps in limited mode.
  public var lobMaxSize: Int
  /// Kilobytes up to which a LOB travels with its row although the mode is full; 0 for none.
  public var inlineLobMaxSize: Int
  /// Kilobytes of one CSV file on its way to the target; 0 for the endpoint's own value.
  public var loadMaxFileSize: Int

  enum CodingKeys: String, CodingKey {
    case targetSchema = "TargetSchema"
    case supportLobs = "SupportLobs"
    case fullLobMode = "FullLobMode"
    case lobChunkSize = "LobChunkSize"
    case limitedSizeLobMode = "LimitedSizeLobMode"
    case lobMaxSize = "LobMaxSize"
    case inlineLobMaxSize = "InlineLobMaxSize"
    case loadMaxFileSize = "LoadMaxFileSize"
  }
}
