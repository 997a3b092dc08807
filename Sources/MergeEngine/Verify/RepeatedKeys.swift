import Libpq

/// Of several suspects of one key the newest alone says what production lacks: the others have lost to it.
///
/// The first look tells apart what one batch holds of a key, where equal keys have equal bytes. Here production's equality decides,
/// over all suspects of a table, wherever they lie.
struct RepeatedKeys {
  let plan: TablePlan
  let connections: WorkerConnections

  /// - Returns: the suspects of whose key another one has a newer version, or an equal one and lies behind it in staging.
  func superseded(_ suspects: [SuspectRow]) throws(PostgresError) -> Set<UInt64> {
    guard suspects.count > 1 else { return [] }
    let addresses = suspects.map(\.address)
    let found = try connections.isSplit ? supersededAcross(addresses) : supersededWithin(addresses)
    return Set(TupleAddress.addresses(ofArray: found ?? ""))
  }

  private var operation: String { "looking for several rows of a key in \(plan.staging)" }

  /// The addresses of all rows but the newest of each key, as an array.
  private func query(_ address: SQL, keys: [SQL], version: SQL, from source: SQL) -> SQL {
    """
    SELECT array_agg(v.address)::text
    FROM (SELECT \(address) AS address,
                 row_number() OVER (PARTITION BY \(keys.joined(", ")) ORDER BY \(version) DESC NULLS LAST, \(address) DESC) AS place
          FROM \(source)) AS v
    WHERE v.place > 1
    """
  }

  private func supersededWithin(_ addresses: [UInt64]) throws(PostgresError) -> String? {
    let keys = plan.keyColumns.map { column -> SQL in
      let value = column.readExpression
      return column.baseType.collated(
        column.travel == .text ? "(\(value))::\(column.baseType.uncutName)" : value
      )
    }
    let source: SQL = "\(plan.staging) AS s WHERE \(SQL.rows(at: addresses))"
    return try connections.staging.query(
      query("s.ctid", keys: keys, version: plan.version.readExpression, from: source),
      operation
    ).text(0, 0)
  }

  /// The same where staging's database need not have production's collations: production is given the keys.
  private func supersededAcross(_ addresses: [UInt64]) throws(PostgresError) -> String? {
    let compared = plan.keyColumns + [plan.version]
    let texts = compared.map { "array_agg(\($0.baseType.exactText(of: $0.readExpression)))" as SQL }
    let staged = try LocalSettings.reading(under: LocalSettings.exactFormats, on: connections.staging) {
      () throws(PostgresError) in
      try connections.staging.query(
        "SELECT array_agg(s.ctid::text), \(texts.joined(", ")) FROM \(plan.staging) AS s WHERE \(SQL.rows(at: addresses))",
        operation
      )
    }
    let names = compared.indices.map { "v\($0)" as SQL }
    let arrays = names.indices.map { ", $\($0 + 2)::text[]" as SQL }.joined("")
    let values = zip(compared, names).map { column, name in "w.\(name)::\(column.baseType.uncutName)" as SQL }
    let keys = zip(plan.keyColumns, values).map { $0.baseType.collated($1) }
    return try connections.production.query(
      query(
        "w.address::tid",
        keys: keys,
        version: values[values.count - 1],
        from: "unnest($1::text[]\(arrays)) AS w (address, \(names.joined(", ")))"
      ),
      (0...compared.count).map { Parameter(binary: staged.bytes(0, $0), type: TypeOID.textArray) },
      operation
    ).text(0, 0)
  }
}
