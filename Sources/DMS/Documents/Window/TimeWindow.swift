/// The span of version times that is loaded and merged: `from` belongs to it, `to` does not.
public struct TimeWindow: Hashable, Sendable, Codable {
  private enum CodingKeys: String, CodingKey { case from, to }

  /// The first moment of the window.
  public let from: SourceTime
  /// The first moment after the window.
  public let to: SourceTime

  /// Makes a window.
  ///
  /// - Throws: ``DocumentError/emptyWindow(from:to:)`` unless `from` is before `to`.
  public init(from: SourceTime, to: SourceTime) throws(DocumentError) {
    guard from < to else { throw .emptyWindow(from: from, to: to) }
    self.from = from
    self.to = to
  }

  /// Reads a window and checks it like one that was typed.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      from: container.decode(SourceTime.self, forKey: .from),
      to: container.decode(SourceTime.self, forKey: .to)
    )
  }

  /// What DMS is asked for: whole seconds, both ends included, never less than the window.
  ///
  /// DMS has no operator for "before", only `between` and "up to and including". So rows at `to` itself, within its last
  /// second and within the padding come along; the merge cuts exactly at `from` and `to`.
  public func loadBounds(padding: WindowPadding = .none) -> ClosedRange<SourceTime> {
    let start = from.roundedDownToSecond.advanced(bySeconds: -padding.secondsBefore)
    let end = to.roundedUpToSecond.advanced(bySeconds: padding.secondsAfter)
    return start...max(start, end)
  }
}
