import MergeEngine
import Mustache

/// HTML escaping by Unicode scalars.
///
/// Mustache's own goes by `Character`, to which a quote with a combining mark behind it is no quote. To a browser it is
/// one, so a row that holds such a pair could end an attribute and begin markup of its own.
///
/// What is not seen is made visible, as on a terminal, but for line breaks and tabs, which `pre-wrap` shows as they are.
struct ScalarEscaping: MustacheContentType {
  /// The name under which templates ask for it.
  static let name = "HTML-BY-SCALARS"

  func escapeText(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for scalar in Printable.document(text).unicodeScalars {
      switch scalar {
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "&": escaped += "&amp;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
