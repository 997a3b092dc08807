/// The fields of a text that has the form of a time, before anything is said about whether that time exists.
///
/// One scanner for three readers: window times (``SourceTime``), filter values in the lint, and the times in answers of `aws`.
struct ScannedTime: Sendable {
  var year = 0
  var month = 0
  var day = 0
  var hour = 0
  var minute = 0
  var second = 0
  var microsecond = 0
  /// What stood between date and time: a space, `T`, or nothing where there is no time.
  var separator = ""
  /// Whether the seconds had decimals.
  var hasFraction = false
  /// Whether the seconds were written.
  var hasSeconds = false
  /// What follows the time, without spaces around it: `Z`, `+02:00`, `Europe/Berlin`, or nothing.
  var zone = ""

  /// `nil` if the text is not of the form `YYYY-MM-DD[( |T)HH:MM[:SS[.f…]][zone]]`.
  init?(_ text: String) {
    var rest = Substring(text)
    guard let year = Self.digits(4, from: &rest), Self.take("-", from: &rest),
      let month = Self.digits(2, from: &rest), Self.take("-", from: &rest),
      let day = Self.digits(2, from: &rest)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    guard let first = rest.first else { return }
    guard first == " " || first == "T" || first == "t" else { return nil }
    separator = String(rest.removeFirst())
    guard let hour = Self.digits(2, from: &rest), Self.take(":", from: &rest),
      let minute = Self.digits(2, from: &rest)
    else { return nil }
    (self.hour, self.minute) = (hour, minute)
    if Self.take(":", from: &rest) {
      guard let second = Self.digits(2, from: &rest) else { return nil }
      self.second = second
      hasSeconds = true
      if Self.take(".", from: &rest) {
        let decimals = rest.prefix { $0.isASCII && $0.isNumber }
        guard !decimals.isEmpty else { return nil }
        rest.removeFirst(decimals.count)
        hasFraction = true
        microsecond = Int((decimals + "000000").prefix(6)) ?? 0
        if decimals.count > 6, decimals.dropFirst(6).contains(where: { $0 != "0" }) { isTooFine = true }
      }
    }
    zone = rest.trimmingPrefix(" ").description
    guard zone.count <= 40 else { return nil }
  }

  /// More than six decimals: finer than PostgreSQL keeps.
  private(set) var isTooFine = false

  /// Why there is no such time, or `nil` if there is.
  var fault: String? {
    if year == 0 { return "there is no year 0" }
    if !(1...12).contains(month) { return "there is no month \(month)" }
    if !(1...CivilDay.length(ofMonth: month, year: year)).contains(day) { return "that month has no day \(day)" }
    if hour > 23 { return "there is no hour \(hour)" }
    if minute > 59 { return "there is no minute \(minute)" }
    if second > 59 { return "there is no second \(second)" }
    if isTooFine { return "it is finer than a microsecond" }
    return nil
  }

  /// The time without regard to the zone; meaningful where ``fault`` is `nil`.
  var microsecondsSince2000: Int64 {
    let dayNumber = CivilDay.number(year: Int64(year), month: Int64(month), day: Int64(day))
    let seconds = Int64(hour * 3600 + minute * 60 + second)
    return dayNumber * SourceTime.microsecondsPerDay + seconds * SourceTime.microsecondsPerSecond + Int64(microsecond)
  }

  private static func digits(_ count: Int, from rest: inout Substring) -> Int? {
    let digits = rest.prefix(count)
    guard digits.count == count, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    rest.removeFirst(count)
    return Int(digits)
  }

  private static func take(_ character: Character, from rest: inout Substring) -> Bool {
    guard rest.first == character else { return false }
    rest.removeFirst()
    return true
  }
}
