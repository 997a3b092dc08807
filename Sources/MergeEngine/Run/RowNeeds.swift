import Libpq

/// Which of some rows of staging need each other: for a unique value that one of them wants and another one has, or for a parent
/// in their own table.
struct RowNeeds {
  /// Who waits for whom, for whatever reason; rows by their places in the list that was asked about, from 1.
  private(set) var waits = Waits()
  /// The same, for the values of single constraints.
  private var values: [(rule: ValueHolders.Rule, waits: Waits)] = []
  /// The same, for parents alone.
  private var references = Waits()
  /// Of every constraint somebody can say who has what.
  private(set) var isComplete = true
  /// The rows that can only be written at once, set by set.
  private(set) var knots: [Knot] = []

  /// Rows that can only be written at once.
  struct Knot {
    let rows: [Int]
    /// Older rows of the same keys, which nobody needs as long as these are there.
    let outdone: [Int]
    /// A constraint over which some of them wait for each other.
    let rule: ValueHolders.Rule?
    /// Some of them wait for a parent.
    let refers: Bool

    /// The server checks ``rule`` row by row, so that none of them can be written before the others.
    var isStuck: Bool { rule?.isDeferrable == false }
  }

  /// Looks who has what the rows at these addresses want.
  ///
  /// - Precondition: staging is in the same database.
  init(of addresses: [UInt64], _ table: TablePlan, _ production: Connection) throws {
    let holders = ValueHolders(table: table, production: production)
    for rule in try holders.rules() {
      guard let found = try holders.waits(of: addresses, rule) else {
        isComplete = false
        continue
      }
      values.append((rule, found))
      waits.add(found)
    }
    references = try Self.references(of: addresses, table, production)
    waits.add(references)
    knots = try knots(of: addresses, table, production)
  }

  private func knots(of addresses: [UInt64], _ table: TablePlan, _ production: Connection) throws -> [Knot] {
    let circles = waits.knots
    guard !circles.isEmpty else { return [] }
    let newer = try Self.newerRows(among: circles.joined().sorted(), of: addresses, table, production)
    return circles.flatMap { circle -> [Knot] in
      let members = Set(circle)
      let outdone = circle.filter { newer[$0]?.isDisjoint(with: members) == false }
      guard !outdone.isEmpty else { return [knot(of: circle, [])] }
      return waits.among(members.subtracting(outdone)).knots.map { knot(of: $0, outdone) }
    }
  }

  private func knot(of rows: [Int], _ outdone: [Int]) -> Knot {
    let members = Set(rows)
    func ties(_ waits: Waits) -> Bool { rows.contains { waits.holders[$0]?.isDisjoint(with: members) == false } }
    let rules = values.filter { ties($0.waits) }.map(\.rule)
    return Knot(
      rows: rows,
      outdone: outdone,
      rule: rules.first { !$0.isDeferrable } ?? rules.first,
      refers: ties(references)
    )
  }

  /// Rows that no try helps: what they want is kept by a row that does not wait, or none of their knot can be the first.
  var hopeless: Set<Int> { waits.waiting(for: waits.blocked).union(stuck()) }

  /// Of these the ones because of a knot, and whoever waits for such.
  ///
  /// - Parameter isToo: other knots that nobody will write at once.
  func stuck(_ isToo: (Knot) -> Bool = { _ in false }) -> Set<Int> {
    waits.waiting(for: Set(knots.filter { $0.isStuck || isToo($0) }.flatMap(\.rows)))
  }

  private static func references(of addresses: [UInt64], _ table: TablePlan, _ production: Connection) throws -> Waits {
    var waits = Waits()
    for reference in try Reference.read(to: table.productionOid, production)
    where reference.isFrom(table.productionOid) {
      let question = pairs(of: reference, addresses, table)
      guard
        let pairs = try Savepoint.answer(on: production, { () throws(PostgresError) in try production.query(question) })
      else { continue }
      for row in 0..<pairs.count {
        waits.holders[pairs.integer(row, 0) ?? 0, default: []].insert(pairs.integer(row, 1) ?? 0)
      }
    }
    return waits
  }

  /// By row, those of the same key that go before it.
  private static func newerRows(
    among rows: [Int],
    of addresses: [UInt64],
    _ table: TablePlan,
    _ production: Connection
  ) throws -> [Int: Set<Int>] {
    let isSameKey = table.keyColumns.map { "o.\($0.name) \($0.equality) n.\($0.name)" as SQL }
    let version = table.version.name
    let question = Query(
      """
      WITH waiting AS MATERIALIZED (\(waiting(rows.map { addresses[$0 - 1] }, table)))
      SELECT o.merge_engine_place, n.merge_engine_place
      FROM waiting AS o JOIN waiting AS n ON \(isSameKey.joined(" AND ")) AND n.\(version) > o.\(version)
      """,
      [],
      "checking which refused rows of \(table.staging) are of one key"
    )
    guard
      let pairs = try Savepoint.answer(on: production, { () throws(PostgresError) in try production.query(question) })
    else { return [:] }
    return (0..<pairs.count).reduce(into: [:]) { newer, row in
      newer[rows[(pairs.integer(row, 0) ?? 1) - 1], default: []].insert(rows[(pairs.integer(row, 1) ?? 1) - 1])
    }
  }

  /// The rows at these addresses as production would hold them, each with its place in the list, from 1.
  private static func waiting(_ addresses: [UInt64], _ table: TablePlan) -> SQL {
    """
    SELECT w.merge_engine_place, staged.*
    FROM unnest(\(TupleAddress.list(addresses))) WITH ORDINALITY AS w (merge_engine_address, merge_engine_place)
    CROSS JOIN LATERAL (SELECT \(table.stagedAsProduction) FROM \(table.staging) AS s WHERE s.ctid = w.merge_engine_address) AS staged
    """
  }

  private static func pairs(of reference: Reference, _ addresses: [UInt64], _ table: TablePlan) -> Query {
    Query(
      """
      WITH waiting AS MATERIALIZED (\(waiting(addresses, table)))
      SELECT c.merge_engine_place, p.merge_engine_place
      FROM waiting AS c JOIN waiting AS p ON \(reference.condition(child: "c")) AND c.merge_engine_place <> p.merge_engine_place
      """,
      [],
      "checking which refused rows of \(table.staging) refer to each other"
    )
  }
}
