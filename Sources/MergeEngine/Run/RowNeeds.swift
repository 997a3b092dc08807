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

  /// Rows that can only be written at once.
  struct Knot {
    let rows: [Int]
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
  }

  /// The rows that can only be written at once, set by set.
  var knots: [Knot] {
    waits.knots.map { rows in
      let members = Set(rows)
      func ties(_ waits: Waits) -> Bool { rows.contains { waits.holders[$0]?.isDisjoint(with: members) == false } }
      let rules = values.filter { ties($0.waits) }.map(\.rule)
      return Knot(rows: rows, rule: rules.first { !$0.isDeferrable } ?? rules.first, refers: ties(references))
    }
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
      guard let pairs = try Savepoint.answer(on: production, { try production.query(question) }) else { continue }
      for row in 0..<pairs.count {
        waits.holders[pairs.integer(row, 0) ?? 0, default: []].insert(pairs.integer(row, 1) ?? 0)
      }
    }
    return waits
  }

  private static func pairs(of reference: Reference, _ addresses: [UInt64], _ table: TablePlan) -> Query {
    Query(
      """
      WITH waiting AS MATERIALIZED (
        SELECT w.merge_engine_place, staged.*
        FROM unnest(\(TupleAddress.list(addresses))) WITH ORDINALITY AS w (merge_engine_address, merge_engine_place)
        CROSS JOIN LATERAL (SELECT \(table.stagedAsProduction) FROM \(table.staging) AS s WHERE s.ctid = w.merge_engine_address) AS staged
      )
      SELECT c.merge_engine_place, p.merge_engine_place
      FROM waiting AS c JOIN waiting AS p ON \(reference.condition(child: "c")) AND c.merge_engine_place <> p.merge_engine_place
      """,
      [],
      "checking which refused rows of \(table.staging) refer to each other"
    )
  }
}
