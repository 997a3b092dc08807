import Foundation

/// A moment in an answer of `aws`, in any of the three forms in which it comes.
///
/// Version 1 prints the number that the service sent (seconds since 1970, with decimals), version 2 prints ISO 8601 with a
/// zone, and an emulator prints ISO 8601 without one, meaning UTC.
public struct AWSTimestamp: Hashable, Comparable, Sendable {
  /// Seconds since 1970-01-01 00:00:00 UTC.
  public let secondsSince1970: Double

  /// 1970-01-01 to 2000-01-01.
  private static let secondsTo2000 = 946_684_800.0

  /// Makes a timestamp.
  public init(secondsSince1970: Double) { self.secondsSince1970 = secondsSince1970 }

  /// Makes a timestamp of a date.
  public init(_ date: Date) { secondsSince1970 = date.timeIntervalSince1970 }

  /// Reads a number or one of the two ISO forms; `nil` for anything else.
  public init?(_ text: String) {
    if let seconds = Double(text), seconds.isFinite {
      self.init(secondsSince1970: seconds)
      return
    }
    guard let time = ScannedTime(text), time.fault == nil, let offset = Self.offset(of: time.zone) else { return nil }
    let local = Double(time.microsecondsSince2000) / 1_000_000 + Self.secondsTo2000
    self.init(secondsSince1970: local - Double(offset))
  }

  /// The moment as a date.
  public var date: Date { Date(timeIntervalSince1970: secondsSince1970) }

  /// Earlier.
  public static func < (first: AWSTimestamp, second: AWSTimestamp) -> Bool {
    first.secondsSince1970 < second.secondsSince1970
  }

  /// Seconds east of UTC for ``, `Z`, `+02`, `+0200` and `+02:00`; `nil` for names of zones.
  private static func offset(of zone: String) -> Int? {
    if zone.isEmpty || zone.uppercased() == "Z" || zone.uppercased() == "UTC" { return 0 }
    guard let sign = zone.first, sign == "+" || sign == "-" else { return nil }
    let digits = zone.dropFirst().filter { $0 != ":" }
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), digits.count == 2 || digits.count == 4,
      let hours = Int(digits.prefix(2)), let minutes = Int(digits.dropFirst(2).isEmpty ? "0" : digits.dropFirst(2))
    else { return nil }
    return (sign == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
  }
}

extension AWSTimestamp: CustomStringConvertible {
  /// ISO 8601 in UTC.
  public var description: String { date.formatted(.iso8601) }
}

extension AWSTimestamp: Codable {
  /// Reads any of the three forms.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let seconds = try? container.decode(Double.self) {
      self.init(secondsSince1970: seconds)
      return
    }
    let text = try container.decode(String.self)
    guard let time = AWSTimestamp(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not a time")
    }
    self = time
  }

  /// Writes seconds since 1970, as the service does.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(secondsSince1970)
  }
}
