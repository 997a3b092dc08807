/// Metrics in Prometheus' text exposition format.
///
/// Format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
struct PrometheusText {
  /// The lines so far, each ended by a newline.
  private(set) var text = ""
  private let common: [(name: String, value: String)]

  /// - Parameter common: labels that every sample carries.
  init(common: [(name: String, value: String)]) {
    self.common = common
  }

  /// A value with its labels.
  struct Sample {
    let labels: [(name: String, value: String)]
    let value: Double

    init(_ value: Double, _ labels: [(name: String, value: String)] = []) {
      self.value = value
      self.labels = labels
    }

    init(_ value: Int, _ labels: [(name: String, value: String)] = []) {
      self.init(Double(value), labels)
    }
  }

  /// Adds a gauge with all its samples; one without samples is left out, help and all.
  ///
  /// - Precondition: the name is a metric's, ends in its unit, and comes once.
  mutating func gauge(_ name: StaticString, _ help: StaticString, samples: [Sample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
    for sample in samples {
      let labels = (common + sample.labels).map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
      text += "\(name){\(labels)} \(Self.number(sample.value))\n"
    }
  }

  /// Backslash, quote and newline are the three that a label's value escapes; by code points, as the parser reads.
  private static func escaped(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// Whole numbers without a point: counts are read by people too.
  private static func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
