/// A day of the Gregorian calendar, and its distance from 2000-01-01.
///
/// Foundation's `Calendar` would need a time zone, and these times have none.
struct CivilDay: Hashable, Sendable {
  let year: Int64
  let month: Int64
  let day: Int64

  /// Days from 0000-03-01 to 2000-01-01: 2000 years less two months, counted from March so that leap days come last.
  private static let offset: Int64 = 730_425

  /// Days since 2000-01-01 of a day that exists.
  static func number(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month > 2 ? year : year - 1
    let marchMonth = (month + 9) % 12
    let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
    return marchYear * 365 + leapDays + (marchMonth * 306 + 5) / 10 + (day - 1) - offset
  }

  init(number: Int64) {
    let days = number + Self.offset
    // The mean length of a year gives the year itself or one of its neighbours.
    var marchYear = days * 400 / 146_097
    if Self.startOfMarchYear(marchYear) > days { marchYear -= 1 }
    if Self.startOfMarchYear(marchYear + 1) <= days { marchYear += 1 }
    let dayOfYear = days - Self.startOfMarchYear(marchYear)
    let marchMonth = (dayOfYear * 10 + 5) / 306
    month = (marchMonth + 2) % 12 + 1
    day = dayOfYear - (marchMonth * 306 + 5) / 10 + 1
    year = month > 2 ? marchYear : marchYear + 1
  }

  private static func startOfMarchYear(_ year: Int64) -> Int64 { year * 365 + year / 4 - year / 100 + year / 400 }

  /// How many days the month has.
  static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
