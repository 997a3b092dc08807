/// How a NUMBER can change between Oracle and a staging column.
///
/// AWS's own pages disagree about when NUMBER(p,s) travels as a double; where one of them says so, a comparison after a
/// trial load is advised.
enum NumberTraps {
  /// What can happen, and what to do; `nil` if nothing can, or if the source type is unknown and the staging type gives no
  /// reason to ask.
  static func trap(_ source: OracleType?, _ staging: PostgresType, isKey: Bool) -> (String, String)? {
    guard let source else { return trapWithoutSource(staging, isKey: isKey) }
    guard source.name == "NUMBER" else { return nil }
    guard let precision = source.numbers.first else { return trapOfPlainNumber(staging) }
    let scale = source.numbers.dropFirst().first ?? 0
    let whole = precision - scale
    let written = source.numbers.count > 1 ? "NUMBER(\(precision),\(scale))" : "NUMBER(\(precision))"
    if let digits = staging.wholeDigits {
      if scale > 0 {
        return ("\(written) has decimals, which are lost", "make the column numeric(\(precision),\(scale))")
      }
      if whole > digits {
        return (
          "\(written) has up to \(whole) digits, too many for the column", "make the column numeric(\(precision))"
        )
      }
    }
    if let digits = staging.floatDigits, precision > digits {
      return (
        "\(written) has more digits than the \(digits) it keeps", "make the column numeric(\(precision),\(scale))"
      )
    }
    guard staging.name == "numeric" else { return nil }
    if let digits = staging.numbers.first {
      let decimals = staging.numbers.dropFirst().first ?? 0
      if scale > decimals { return ("\(written) is rounded to \(decimals) decimals", "give it \(scale) decimals") }
      if whole > digits - decimals {
        return (
          "\(written) has up to \(whole) digits before the decimal point, too many for the column",
          "give it more digits"
        )
      }
    }
    guard scale > 0, precision > 15 else { return nil }
    return (
      "\(written) may be transferred as a double, which keeps 15 digits",
      "compare the values of a trial load with the source's"
    )
  }

  private static func trapWithoutSource(_ staging: PostgresType, isKey: Bool) -> (String, String)? {
    guard isKey, let digits = staging.wholeDigits, digits < 18 else { return nil }
    return (
      "an Oracle NUMBER key can have more than \(digits) digits, too many for the column",
      "check the largest key on the source, or make the column bigint"
    )
  }

  /// NUMBER without precision travels with 38 digits, 10 of them decimals, unless the endpoint says otherwise.
  private static func trapOfPlainNumber(_ staging: PostgresType) -> (String, String)? {
    if let digits = staging.wholeDigits {
      return (
        "NUMBER without precision can hold more than \(digits) digits, and decimals",
        "make the column numeric if it does"
      )
    }
    guard staging.name == "numeric" || staging.floatDigits != nil else { return nil }
    let decimals = staging.numbers.dropFirst().first ?? (staging.numbers.isEmpty ? Int.max : 0)
    guard staging.name != "numeric" || decimals > 10 else { return nil }
    return (
      "NUMBER without precision is transferred with 38 digits, 10 of them decimals; further decimals are lost",
      "set NumberDatatypeScale on the source endpoint to the number of decimals needed"
    )
  }
}
