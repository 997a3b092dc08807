import Libpq

/// Pairs of types that lose something, or may have lost it before staging was reached; from the catalog alone.
///
/// How many rows are really changed by a cast is counted by ``CastForecast``.
struct TypeFindings {
  let pair: TablePair

  func all() -> [Finding] {
    pair.columns.flatMap { column -> [Finding] in
      notes(column.staging.baseType, column.production.baseType).map { note in
        .warning(.typeConversion, pair.plan.name, "column \(column.plan.name): \(note)")
      }
    }
  }

  private func notes(_ staging: CatalogColumn.BaseType, _ production: CatalogColumn.BaseType) -> [String] {
    var notes: [String] = []
    let pair = "\(staging.fullName.text) in staging, \(production.fullName.text) in production"
    if staging.oid == TypeOID.numeric, production.oid == TypeOID.numeric, staging.modifier >= 0, production.modifier < 0
    {
      notes.append(
        "\(pair). numeric(38,10) is what DMS makes of NUMBER without precision: decimals after the tenth are lost before "
          + "staging. Load it as numeric without precision, or set numberDataTypeScale."
      )
    }
    if TypeOID.floats.contains(staging.oid), production.oid == TypeOID.numeric {
      notes.append("\(pair). Floating-point numbers hold 15 digits: longer numbers are rounded before staging.")
    }
    if TypeOID.timestamps.contains(staging.oid), TypeOID.timestamps.contains(production.oid),
      staging.oid == production.oid,
      staging.precision < production.precision
    {
      notes.append("\(pair). Fractional seconds are lost before staging.")
    }
    if TypeOID.timestamps.contains(staging.oid), TypeOID.timestamps.contains(production.oid),
      staging.oid != production.oid
    {
      notes.append("\(pair). Times without a zone are read in --time-zone.")
    }
    if TypeOID.numbers.contains(staging.oid), production.oid == TypeOID.bool {
      notes.append("\(pair). 0 is read as false, every other number as true.")
    }
    if staging.oid == TypeOID.date, TypeOID.timestamps.contains(production.oid) {
      notes.append("\(pair). Oracle's DATE has a time of day, but staging's type has none.")
    }
    if TypeOID.strings.contains(staging.oid), production.oid == TypeOID.bpchar, staging.oid != TypeOID.bpchar {
      notes.append("\(pair). Trailing spaces are not kept, and production pads with spaces.")
    }
    if staging.oid == TypeOID.bpchar, production.oid != TypeOID.bpchar, TypeOID.strings.contains(production.oid) {
      notes.append("\(pair). Staging pads with spaces, and trailing spaces are removed on the way.")
    }
    if let stagingLength = staging.characterLimit, let limit = production.characterLimit, stagingLength < limit {
      notes.append(
        "\(pair). Values longer than \(stagingLength) characters can't have reached staging intact; Oracle may count "
          + "lengths in bytes, PostgreSQL counts characters."
      )
    }
    return notes
  }
}

extension CatalogColumn.BaseType {
  /// Digits behind the second of timestamp, timestamptz, time; 6 without a modifier.
  fileprivate var precision: Int { modifier < 0 ? 6 : modifier }
}
