/// A column type as PostgreSQL's `format_type` prints it, as far as precision traps depend on it.
struct PostgresType {
  /// The name without its numbers: `numeric`, `timestamp without time zone`, ...
  let name: String
  /// The numbers in parentheses.
  let numbers: [Int]

  init(_ text: String) {
    let parsed = OracleType(text)
    let lower = parsed.name.lowercased()
    let aliases = [
      "int": "integer", "int4": "integer", "int2": "smallint", "int8": "bigint", "float4": "real", "decimal": "numeric",
      "float8": "double precision", "timestamp": "timestamp without time zone",
      "timestamptz": "timestamp with time zone",
    ]
    name = aliases[lower] ?? lower
    numbers = parsed.numbers
  }

  /// Digits that fit whole, for the integer types.
  var wholeDigits: Int? {
    switch name {
    case "smallint": 4
    case "integer": 9
    case "bigint": 18
    default: nil
    }
  }

  /// Decimal digits that a floating-point type keeps.
  var floatDigits: Int? {
    switch name {
    case "real": 6
    case "double precision": 15
    default: nil
    }
  }

  /// Decimals of a second that a timestamp keeps.
  var secondDecimals: Int? { name.hasPrefix("timestamp") ? numbers.first ?? 6 : nil }
}
