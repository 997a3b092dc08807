import Mustache

/// A piece of the page: fixed HTML with `{{names}}`, whose values are escaped wherever they stand.
///
/// Pieces are put together by their finished text and not as partials of Mustache, which would fall back to its own way
/// of escaping inside them (see ``ScalarEscaping``).
struct Template: Sendable {
  private let template: MustacheTemplate

  /// - Precondition: the text is a template; it is written in the source, and every report renders every piece.
  init(_ text: StaticString) {
    _ = Self.registration
    do {
      template = try MustacheTemplate(string: "{{% CONTENT_TYPE:\(ScalarEscaping.name)}}\n\(text)")
    } catch {
      preconditionFailure("a template of the report is malformed: \(error)")
    }
  }

  /// The piece with the values of `model`, whose stored properties are the names.
  func render(_ model: Any) -> String { template.render(model) }

  private static let registration: Void = MustacheContentTypes.register(ScalarEscaping(), named: ScalarEscaping.name)
}
