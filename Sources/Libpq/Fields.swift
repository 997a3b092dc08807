import CLibpq

/// The fields of an error or notice, by the codes of the protocol.
enum Fields {
  enum Code: UnicodeScalar {
    case severity = "V"
    case sqlState = "C"
    case message = "M"
    case detail = "D"
    case hint = "H"
    case context = "W"
    case schema = "s"
    case table = "t"
    case column = "c"
    case constraint = "n"
    case function = "R"
    case file = "F"
  }

  /// The field's text, copied; nil when the server did not send it.
  static func text(_ result: OpaquePointer, _ code: Code) -> String? {
    PQresultErrorField(result, Int32(code.rawValue.value)).map { String(cString: $0) }
  }
}

extension PostgresError {
  /// The error that a result carries.
  init(result: OpaquePointer, connection: OpaquePointer, operation: String) {
    let state = Fields.text(result, .sqlState).map { SQLState($0) }
    // FATAL and PANIC end the session, whatever the SQLSTATE; libpq notices the end only when it reads on.
    let endsSession = ["FATAL", "PANIC"].contains(Fields.text(result, .severity))
    let lost = endsSession || PQstatus(connection) != CONNECTION_OK
    self.init(
      lost ? .connectionLost : .server,
      sqlState: state,
      message: Fields.text(result, .message) ?? PostgresError.text(of: connection),
      operation: operation
    )
    detail = Fields.text(result, .detail)
    hint = Fields.text(result, .hint)
    context = Fields.text(result, .context)
    if let schema = Fields.text(result, .schema), let name = Fields.text(result, .table) {
      table = QualifiedName(schema: schema, name: name)
    }
    column = Fields.text(result, .column)
    constraint = Fields.text(result, .constraint)
    sourceFunction = Fields.text(result, .function)
    sourceFile = Fields.text(result, .file)
  }

  /// libpq's own message on a connection, one line.
  static func text(of connection: OpaquePointer) -> String {
    guard let pointer = PQerrorMessage(connection) else { return "no message" }
    // Lines that go on are indented.
    let lines = String(cString: pointer).split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }
    guard let first = lines.first else { return "the connection was closed without a message" }
    return lines.dropFirst().reduce(String(first)) { text, line in
      text + (text.last.map { ".?!:;,".contains($0) } == true ? " " : ". ") + line
    }
  }
}
