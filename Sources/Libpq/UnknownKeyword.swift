import CLibpq

/// Finds the parameter of a connection string that libpq does not know, as `sslmod`.
///
/// Its name is shown only where it can be nothing else: a password that is not escaped may be taken apart into what looks
/// like parameters.
enum UnknownKeyword {
  static func name(in connectionString: String) -> String? {
    let isURI = connectionString.hasPrefix("postgresql://") || connectionString.hasPrefix("postgres://")
    let names = isURI ? namesInURI(connectionString) : namesBeforePassword(connectionString)
    let known = knownNames
    // JDBC's, which libpq takes in a URI.
    return names.first { !known.contains($0) && $0 != "ssl" && isPlain($0) }
  }

  private static func namesInURI(_ text: String) -> [String] {
    let scalars = text.unicodeScalars
    guard let mark = scalars.firstIndex(of: "?") else { return [] }
    let query = scalars[scalars.index(after: mark)...]
    // An @ behind the question mark ends a password that holds the mark.
    guard !query.contains("@") else { return [] }
    return query.split(separator: "&").map { parameter in
      String(String.UnicodeScalarView(parameter.prefix { $0 != "=" }))
    }
  }

  /// The keywords of `host=a dbname='b c'` up to the first that holds a password.
  private static func namesBeforePassword(_ text: String) -> [String] {
    var names: [String] = []
    var rest = text.unicodeScalars[...]
    while true {
      rest = rest.drop { $0.properties.isWhitespace }
      let name = String(String.UnicodeScalarView(rest.prefix { $0 != "=" && !$0.properties.isWhitespace }))
      rest = rest.dropFirst(name.unicodeScalars.count).drop { $0.properties.isWhitespace }
      guard rest.first == "=", !name.contains("password") else { return names }
      names.append(name)
      rest = rest.dropFirst().drop { $0.properties.isWhitespace }
      skipValue(&rest)
    }
  }

  private static func skipValue(_ rest: inout Substring.UnicodeScalarView) {
    let isQuoted = rest.first == "'"
    if isQuoted { rest.removeFirst() }
    while let scalar = rest.popFirst() {
      if scalar == "\\" {
        _ = rest.popFirst()
      } else if isQuoted ? scalar == "'" : scalar.properties.isWhitespace {
        return
      }
    }
  }

  private static func isPlain(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy { ("a"..."z").contains(Character(Unicode.Scalar($0))) || $0 == UInt8(ascii: "_") }
  }

  private static var knownNames: Set<String> {
    var names: Set<String> = []
    guard let options = PQconndefaults() else { return names }
    defer { PQconninfoFree(options) }
    var option = options
    while let keyword = option.pointee.keyword {
      names.insert(String(cString: keyword))
      option += 1
    }
    return names
  }
}
