import Libpq
import Testing

@Suite struct CopyLineTests {
  @Test(arguments: [
    ("COPY orders, line 17", 17),
    ("COPY orders, line 17, column id", 17),
    ("COPY orders, line 17, column id: \"x\"", 17),
    ("COPY orders, line 17, column note: \"as in, line 4\"", 17),
    ("COPY orders, line 17: \"1\ta, line 4\"", 17),
    ("COPY größe, line 18446744", 18_446_744),
    ("PL/pgSQL function f() line 3 at RAISE\nCOPY orders, line 17", 17),
    ("SQL statement \"SELECT 1\"\nPL/pgSQL function f() line 3 at RAISE\nCOPY orders, line 1: \"1\"", 1),
  ])
  func `the line is found in the context`(context: String, line: Int) {
    #expect(Self.line(context) == line)
  }

  @Test(
    arguments: [
      nil, "", "COPY orders", "COPY orders, line ", "COPY orders, line x", "COPY orders, line 99999999999999999999",
      "PL/pgSQL function f() line 3 at RAISE", "while inserting, line 5", "COPY-Zeile 7",
    ] as [String?]
  )
  func `without a number there is no line`(context: String?) {
    #expect(Self.line(context) == nil)
  }

  private static func line(_ context: String?) -> Int? {
    var error = PostgresError(.server, message: "m", operation: "o")
    error.context = context
    return error.copyLine
  }
}
