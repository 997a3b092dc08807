import Foundation

/// Times as people read them: UTC, to the second, the same in every locale.
enum Times {
  /// `2026-01-31 10:11:12`
  static func utc(_ date: Date) -> String {
    let text = date.formatted(Date.ISO8601FormatStyle())
    return String(text.prefix(19)).replacing("T", with: " ")
  }

  /// Seconds since the run began, with as many places as the interval between two of them needs.
  static func seconds(_ value: Double, interval: Double) -> String {
    let places = interval >= 1 ? 0 : interval >= 0.1 ? 1 : interval >= 0.01 ? 2 : 3
    return value.formatted(.number.precision(.fractionLength(places)).grouping(.never).locale(Locale(identifier: "en")))
  }
}
