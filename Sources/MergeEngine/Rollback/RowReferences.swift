import Libpq

/// Asks which of the rows that a rollback would delete refer to each other, and to which of them others refer.
struct RowReferences {
  /// A table whose rows are looked at.
  struct Table {
    /// Which table of the rollback.
    let number: Int
    let sql: RollbackSQL
    /// The rows that would be deleted if nothing referred to them, as a subquery with ``RollbackSQL/insertedColumns``.
    let rows: SQL
  }

  /// A foreign key from one table to another.
  struct Link {
    let parent: Table
    /// Which one of the references to the parent.
    let number: Int
    /// nil when it is no table of those.
    let child: Table?

    var reference: Reference { parent.sql.table.references[number] }
  }

  /// All references to the tables.
  let links: [Link]
  /// Rows of the child (alias `c`) that stand in nobody's way though they stay; nil for none.
  private let exemption: (Link) -> SQL?

  init(_ tables: [Table], exempting exemption: @escaping (Link) -> SQL? = { _ in nil }) {
    links = tables.flatMap { parent in
      parent.sql.table.references.enumerated().map { number, reference in
        Link(
          parent: parent,
          number: number,
          child: tables.first { reference.isFrom($0.sql.table.entry.productionOid) }
        )
      }
    }
    self.exemption = exemption
  }

  /// What refers to what, and what stays because somebody else's row refers to it or to a row that refers to it.
  ///
  /// - Parameters:
  ///   - refused: by the table's number, images of rows that the server keeps.
  ///   - isForecast: only what stays is wanted, so that nothing is asked about rows that can't stay.
  func graph(without refused: [Int: [UInt64]] = [:], isForecast: Bool, on connection: Connection) throws(PostgresError)
    -> ReferenceGraph
  {
    var graph = ReferenceGraph()
    var tablesThatStay = Set(refused.keys)
    for (table, images) in refused { for image in images { graph.refuse(.init(table: table, image: image)) } }
    for link in links {
      let rows = try connection.query(held(by: link), Self.operation(link))
      for row in 0..<rows.count {
        guard let image = Self.image(rows, row, 0) else { continue }
        graph.hold(.init(table: link.parent.number, image: image), by: link.number)
      }
      if rows.count > 0 { tablesThatStay.insert(link.parent.number) }
    }
    for link in isForecast ? reachable(from: tablesThatStay) : links {
      guard let child = link.child else { continue }
      let rows = try connection.query(pairs(of: link, child), Self.operation(link))
      for row in 0..<rows.count {
        guard let from = Self.image(rows, row, 0), let to = Self.image(rows, row, 1) else { continue }
        graph.add(
          .init(table: child.number, image: from),
          to: .init(table: link.parent.number, image: to),
          by: link.number
        )
      }
    }
    graph.spread()
    return graph
  }

  /// The links that lead on from rows that stay, directly or by others.
  private func reachable(from tables: Set<Int>) -> [Link] {
    var tables = tables
    var found: [Link] = []
    var rest = links
    while let index = rest.firstIndex(where: { link in link.child.map { tables.contains($0.number) } ?? false }) {
      let link = rest.remove(at: index)
      tables.insert(link.parent.number)
      found.append(link)
    }
    return found
  }

  /// The images of rows that somebody else's row refers to.
  func held(by link: Link) -> SQL {
    let isGoing = link.child.map { " AND NOT \(RollbackSQL.isAmong("(\($0.rows))", "c"))" as SQL } ?? ""
    let isExempt = exemption(link).map { " AND NOT \($0)" as SQL } ?? ""
    return """
      SELECT DISTINCT p.\(RollbackSQL.imageAddress)::text FROM (\(link.parent.rows)) AS p
      WHERE EXISTS (\(link.parent.sql.referring(link.reference))\(isGoing)\(isExempt))
      """
  }

  /// The images of rows that refer, and of those that they refer to.
  func pairs(of link: Link, _ child: Table) -> SQL {
    let isExempt = exemption(link).map { "WHERE NOT \($0)" as SQL } ?? ""
    return """
      SELECT i.\(RollbackSQL.imageAddress)::text, p.\(RollbackSQL.imageAddress)::text
      FROM (\(link.parent.rows)) AS p
      JOIN \(link.reference.child) AS c ON \(link.reference.condition(child: "c"))
      JOIN (\(child.rows)) AS i ON i.\(RollbackSQL.rowTable) = c.tableoid AND i.\(RollbackSQL.rowAddress) = c.ctid
      \(isExempt)
      """
  }

  private static func operation(_ link: Link) -> String {
    "looking for what refers to rows of \(link.parent.sql.table.production)"
  }

  private static func image(_ rows: ResultSet, _ row: Int, _ column: Int) -> UInt64? {
    rows.text(row, column).flatMap { TupleAddress(text: $0)?.packed }
  }
}
