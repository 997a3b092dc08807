import Spelling

/// Numbers as people read them, the same in every locale, so that scripts and screenshots agree.
package enum Numbers {
  /// `1,234,567`
  package static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "-" : "") + text
  }

  /// `1 row`, `1,234 rows`, `1 query`, `2 queries`.
  ///
  /// - Parameter plural: where an s is not enough.
  package static func counted(_ count: Int, _ singular: String, plural: String? = nil) -> String {
    Spelling.counted(count, singular, plural: plural, number: grouped(count))
  }

  /// `812 B`, `4.2 MB`, by powers of 1000.
  package static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "kB", "MB", "GB"] {
      if value < 1000 { return unit == "B" ? "\(count) B" : "\((value * 10).rounded() / 10) \(unit)" }
      value /= 1000
    }
    return "\((value * 10).rounded() / 10) TB"
  }

  /// `0.4 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`
  package static func duration(milliseconds: Int) -> String {
    let tenths = (milliseconds + 50) / 100
    if tenths < 1000 { return "\(tenths / 10).\(tenths % 10) s" }
    let seconds = (milliseconds + 500) / 1000
    if seconds < 3600 { return "\(seconds / 60) min \(padded(seconds % 60)) s" }
    return "\(seconds / 3600) h \(padded(seconds / 60 % 60)) min"
  }

  /// `1.50`; with a point in every locale.
  package static func decimal(_ value: Double, places: Int) -> String {
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((value * Double(scale)).rounded())
    let fraction = String(scaled.magnitude % UInt(scale))
    let zeros = String(repeating: "0", count: places - fraction.count)
    return (scaled < 0 ? "-" : "") + grouped(Int(scaled.magnitude) / scale) + "." + zeros + fraction
  }

  /// Rows a second, rounded; nil where no time has passed.
  package static func rate(_ rowCount: Int, milliseconds: Int) -> Int? {
    milliseconds > 0 ? Int((Double(rowCount) * 1000 / Double(milliseconds)).rounded()) : nil
  }

  private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

extension Int {
  /// `1 row`, `12 rows`.
  var rows: String { Spelling.counted(self, "row") }
}
