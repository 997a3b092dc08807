import Foundation

/// A rate over time as the outline of steps, in a box of 1,000 units by `height`.
struct Plot {
  static let width = 1000.0

  /// The highest value that the box shows.
  let top: Double
  let height: Double

  /// An SVG path: the area below the steps.
  func area(_ values: [Double]) -> String {
    let step = Self.width / Double(max(values.count, 1))
    var path = "M0 \(Self.number(height))"
    for (index, value) in values.enumerated() {
      let y = Self.number(height - min(value / max(top, 1e-9), 1) * height)
      path += "V\(y)H\(Self.number(Double(index + 1) * step))"
    }
    return path + "V\(Self.number(height))Z"
  }

  /// The next number with a single digit, or nearly, of which half is a round number too.
  static func roundTop(_ value: Double) -> Double {
    guard value > 0 else { return 1 }
    let power = pow(10, floor(log10(value)))
    return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map { $0 * power }.first { $0 >= value * 0.999 } ?? value
  }

  /// With two places at most, and a point whatever the locale.
  static func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    if hundredths.isMultiple(of: 100) { return "\(hundredths / 100)" }
    return "\(Double(hundredths) / 100)"
  }
}
