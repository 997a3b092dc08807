/// What of the command line may be repeated in a message.
///
/// A password can stand anywhere: in a URI given as the name of a file, behind an option that does not exist, in a keyword string
/// that the shell has taken apart. So nothing is shown that has the form of a connection string or of a part of one.
struct ShownArguments {
  private let secretive: [String]

  init(_ arguments: [String]) {
    secretive = arguments.flatMap { argument in
      let value = argument.hasPrefix("-") ? argument.split(separator: "=", maxSplits: 1).dropFirst().first : nil
      return [argument] + (value.map { [String($0)] } ?? [])
    }.filter(Self.mayHoldPassword).sorted { $0.count > $1.count }
  }

  /// The message without what may hold a password.
  func clean(_ message: String) -> String {
    secretive.reduce(message) { $0.replacing($1, with: Self.substitute) }.replacing(Self.login, with: Self.substitute)
  }

  /// The part of a URI up to its host, wherever it comes from: a configuration file, a path that was made of it.
  private static var login: Regex<Substring> { /[A-Za-z][A-Za-z0-9+.-]*:\/+[^\s\/"'@]*:[^\s"'@]*@/ }

  /// What stands for an argument that is not shown.
  static let substitute = "(not shown, since it may hold a password)"

  /// Whether a text looks like a connection string, or like a keyword of one with its value.
  static func mayHoldPassword(_ text: String) -> Bool {
    if text.contains("://") || text.contains("@") { return true }
    return !text.hasPrefix("-") && text.contains(/[A-Za-z_]\s*=/)
  }
}
