/// A moment as the source database's own clock shows it: a date and a time of day without any zone.
///
/// Oracle's `DATE` and `TIMESTAMP` carry no zone, and DMS compares a filter's value with them as it stands. So a time with a
/// zone is refused rather than converted: a conversion would be a guess about the source.
public struct SourceTime: Hashable, Comparable, Sendable {
  /// Microseconds since 2000-01-01 00:00:00 on that clock, every day having 86,400 seconds.
  public let microsecondsSince2000: Int64

  static let microsecondsPerSecond: Int64 = 1_000_000
  static let microsecondsPerDay: Int64 = 86_400 * microsecondsPerSecond

  /// 0001-01-01 00:00:00, the earliest time with a four-digit year.
  static let earliest = SourceTime(
    microsecondsSince2000: CivilDay.number(year: 1, month: 1, day: 1) * microsecondsPerDay
  )
  /// 9999-12-31 23:59:59, Oracle's latest.
  static let latest = SourceTime(
    microsecondsSince2000: CivilDay.number(year: 10_000, month: 1, day: 1) * microsecondsPerDay - microsecondsPerSecond
  )

  init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

  /// Reads `2025-01-31`, `2025-01-31 18:00`, `2025-01-31 18:00:00`, the same with `T` for the space, and up to six decimals.
  ///
  /// - Throws: ``DocumentError/badTime(text:reason:)`` for anything else, for a day that the calendar does not have, and for a
  ///   time with a zone.
  public init(_ text: String) throws(DocumentError) {
    guard let scanned = ScannedTime(text) else {
      throw .badTime(text: text, reason: "it is not of the form year-month-day hour:minute:second")
    }
    guard scanned.zone.isEmpty else {
      throw .badTime(text: text, reason: "it has the time zone \"\(scanned.zone)\", and the source's times have none")
    }
    if let fault = scanned.fault { throw .badTime(text: text, reason: fault) }
    self.init(microsecondsSince2000: scanned.microsecondsSince2000)
  }

  /// The latest whole second that is not after this time.
  public var roundedDownToSecond: SourceTime {
    let remainder =
      microsecondsSince2000 - Self.floorDivide(microsecondsSince2000, Self.microsecondsPerSecond)
      * Self.microsecondsPerSecond
    return SourceTime(microsecondsSince2000: microsecondsSince2000 - remainder)
  }

  /// The earliest whole second that is not before this time.
  public var roundedUpToSecond: SourceTime {
    let down = roundedDownToSecond
    guard down != self else { return self }
    return SourceTime(microsecondsSince2000: down.microsecondsSince2000 + Self.microsecondsPerSecond)
  }

  /// The time that many seconds later (earlier if negative), held within the years 1 to 9999.
  public func advanced(bySeconds seconds: Int64) -> SourceTime {
    let (product, overflows) = seconds.multipliedReportingOverflow(by: Self.microsecondsPerSecond)
    let (sum, overflowsToo) = microsecondsSince2000.addingReportingOverflow(product)
    if overflows || overflowsToo { return seconds < 0 ? Self.earliest : Self.latest }
    return min(max(SourceTime(microsecondsSince2000: sum), Self.earliest), Self.latest)
  }

  /// Earlier on the same clock.
  public static func < (first: SourceTime, second: SourceTime) -> Bool {
    first.microsecondsSince2000 < second.microsecondsSince2000
  }

  static func floorDivide(_ dividend: Int64, _ divisor: Int64) -> Int64 {
    let quotient = dividend / divisor
    return dividend % divisor < 0 ? quotient - 1 : quotient
  }
}

extension SourceTime: CustomStringConvertible {
  /// `YYYY-MM-DD HH:MM:SS`, the form that DMS reads; six decimals follow only where the time is not a whole second.
  public var description: String {
    let dayNumber = Self.floorDivide(microsecondsSince2000, Self.microsecondsPerDay)
    let microseconds = microsecondsSince2000 - dayNumber * Self.microsecondsPerDay
    let day = CivilDay(number: dayNumber)
    let seconds = microseconds / Self.microsecondsPerSecond
    let date = "\(padded(day.year, 4))-\(padded(day.month, 2))-\(padded(day.day, 2))"
    let time = "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    let fraction = microseconds % Self.microsecondsPerSecond
    return fraction == 0 ? "\(date) \(time)" : "\(date) \(time).\(padded(fraction, 6))"
  }

  private func padded(_ number: some BinaryInteger, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension SourceTime: Codable {
  /// Reads the text form.
  public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }

  /// Writes the text form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
