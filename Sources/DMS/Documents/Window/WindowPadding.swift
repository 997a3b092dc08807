/// How much more than the window is loaded at its two ends.
public struct WindowPadding: Hashable, Sendable, Codable {
  /// Seconds before the window's start, not negative.
  public let secondsBefore: Int64
  /// Seconds after the window's end, not negative.
  public let secondsAfter: Int64

  /// Nothing more than the window.
  public static let none = WindowPadding(secondsBefore: 0, secondsAfter: 0)

  /// Makes a padding; negative numbers count as zero.
  public init(secondsBefore: Int64, secondsAfter: Int64) {
    self.secondsBefore = max(0, secondsBefore)
    self.secondsAfter = max(0, secondsAfter)
  }

  /// The same padding at both ends, from a text such as `90s`, `30m`, `1h` or `2d`.
  ///
  /// - Throws: ``DocumentError/badDuration(text:)``.
  public init(_ text: String) throws(DocumentError) {
    let secondsPerUnit: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    guard let unit = text.last.flatMap({ secondsPerUnit[$0] }), let count = Int64(text.dropLast()), count >= 0,
      case let (seconds, overflow) = count.multipliedReportingOverflow(by: unit), !overflow
    else { throw .badDuration(text: text) }
    self.init(secondsBefore: seconds, secondsAfter: seconds)
  }
}
