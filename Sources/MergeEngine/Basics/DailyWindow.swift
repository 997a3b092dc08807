import Foundation

/// A stretch of each day, by the clock of the machine that merges, as `22:00-05:00`.
public struct DailyWindow: Sendable, Codable, Hashable, CustomStringConvertible {
  private let text: String
  /// Minutes since midnight.
  private let start: Int
  private let end: Int

  /// - Returns: nil for what is no window, or has no length.
  public init?(_ text: String) {
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { Self.minutes($0) }
    guard bounds.count == 2, let start = bounds[0], let end = bounds[1], start != end else { return nil }
    self.text = text
    self.start = start
    self.end = end
  }

  private static func minutes(_ text: some StringProtocol) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
      let hours = Int(parts[0]), let minutes = Int(parts[1]), (0...24).contains(hours), (0...59).contains(minutes),
      hours < 24 || minutes == 0
    else { return nil }
    return hours * 60 + minutes
  }

  /// As it was written.
  public var description: String { text }

  func contains(_ time: Date) -> Bool {
    let parts = Calendar(identifier: .gregorian).dateComponents(in: .current, from: time)
    let minute = (parts.hour ?? 0) * 60 + (parts.minute ?? 0)
    return start < end ? start <= minute && minute < end : minute >= start || minute < end
  }

  /// Its text.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let window = DailyWindow(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no window of a day")
    }
    self = window
  }

  /// Its text.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
