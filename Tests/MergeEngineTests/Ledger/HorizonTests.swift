import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// What the ledger relies on in PostgreSQL: which rows a horizon has seen, whatever becomes of them later.
@Suite struct HorizonTests {
  private static let table: SQL = "public.s"

  /// Keys of the rows that a horizon has not seen, by now.
  private static func unseen(_ horizon: Horizon, _ database: TestDatabase) throws -> [String] {
    let rows = try database.connection.query(
      "SELECT s.id::text FROM public.s AS s WHERE NOT \(horizon.hasSeen()) ORDER BY s.id",
      "looking for rows that were not seen"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private static func with(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE TABLE s (id int PRIMARY KEY, v text); INSERT INTO s SELECT generate_series(1, 3)")
      try await body(database)
    }
  }

  @Test func `rows that are there are seen, rows that come later are not`() async throws {
    try await Self.with { database in
      let horizon = try Horizon(of: Self.table, database.connection)
      #expect(try Self.unseen(horizon, database) == [])
      try database.run("INSERT INTO s VALUES (4)")
      #expect(try Self.unseen(horizon, database) == ["4"])
    }
  }

  @Test func `a changed row is a new one`() async throws {
    try await Self.with { database in
      let horizon = try Horizon(of: Self.table, database.connection)
      try database.run("UPDATE s SET v = 'changed' WHERE id = 2")
      #expect(try Self.unseen(horizon, database) == ["2"])
    }
  }

  @Test func `behind a long transaction what has committed is seen, what it adds is not`() async throws {
    try await Self.with { database in
      let long = try database.connect()
      try long.run("BEGIN; INSERT INTO s VALUES (10)")
      try database.run("INSERT INTO s VALUES (11)")
      let horizon = try Horizon(of: Self.table, database.connection)
      // Other databases' transactions may make the horizon older still.
      #expect(!horizon.recent.isEmpty)
      #expect(try Self.unseen(horizon, database) == [])
      try long.run("INSERT INTO s VALUES (12); COMMIT")
      #expect(try Self.unseen(horizon, database) == ["10", "12"])
    }
  }

  @Test func `a subtransaction that was running is not seen, though its savepoint was released`() async throws {
    try await Self.with { database in
      let other = try database.connect()
      try other.run("BEGIN; SAVEPOINT a; INSERT INTO s VALUES (20); RELEASE a")
      // Another one commits with a higher id, so that the snapshot reaches beyond the subtransaction's.
      try database.run("INSERT INTO s VALUES (21)")
      let horizon = try Horizon(of: Self.table, database.connection)
      try other.run("COMMIT")
      #expect(try Self.unseen(horizon, database) == ["20"])
    }
  }

  @Test func `a prepared transaction is not seen before it is committed`() async throws {
    try await Self.with { database in
      try database.run("BEGIN; INSERT INTO s VALUES (30); PREPARE TRANSACTION 'horizon \(database.name)'")
      let horizon = try Horizon(of: Self.table, database.connection)
      try database.run("COMMIT PREPARED 'horizon \(database.name)'")
      #expect(try Self.unseen(horizon, database) == ["30"])
    }
  }

  @Test func `freezing, VACUUM FULL and CLUSTER leave seen rows seen and new rows new`() async throws {
    try await Self.with { database in
      let horizon = try Horizon(of: Self.table, database.connection)
      try database.run("INSERT INTO s VALUES (40)")
      for statement in ["VACUUM FREEZE s", "VACUUM FULL s", "CLUSTER s USING s_pkey"] {
        try database.run(statement)
        #expect(try Self.unseen(horizon, database) == ["40"], "\(statement)")
      }
    }
  }

  @Test func `rows of COPY FREEZE bear the id of their transaction`() async throws {
    try await Self.with { database in
      let horizon = try Horizon(of: Self.table, database.connection)
      try database.run("BEGIN; TRUNCATE s")
      _ = try database.connection.copyIn("COPY s (id) FROM STDIN (FREEZE)", "loading frozen rows") { stream in
        let bytes = Array("50\n".utf8)
        // Safe: UInt8 has no padding.
        unsafe try stream.write(bytes.span.bytes)
      }
      try database.run("COMMIT")
      #expect(try Self.unseen(horizon, database) == ["50"])
    }
  }

  private static let halfTurn = 1 << 31

  /// How far from the next id, and whether a horizon of now has seen it.
  private static let distances: [(Int, Bool)] = [
    (-1, true), (1 - halfTurn, true), (-1_000_000 - halfTurn, true), (Horizon.margin + 1_000_000 - 2 * halfTurn, true),
    (0, false), (1_000_000, false), (Horizon.margin - 1_000_000, false),
  ]

  /// Such rows can't be had without thousands of millions of transactions: their `xmin` is made up.
  @Test(arguments: distances)
  func `a row frozen so long ago that its number lies ahead was there, and what begins during a statement was not`(
    distance: Int,
    isSeen: Bool
  ) async throws {
    try await TestDatabase.with { database in
      let next = try Horizon.nextID(database.connection)
      let transaction = UInt32(truncatingIfNeeded: next + distance)
      let source: SQL = "(SELECT '\(transaction)'::xid AS xmin)"
      let horizon = Horizon(oldest: next, recent: [], next: next)
      let row = try database.connection.query("SELECT \(horizon.hasSeen()) FROM \(source) AS s", "asking for a test")
      #expect(row.bool(0, 0) == isSeen)
      // Other databases' transactions may make the horizon older than the last id.
      let taken = try Horizon(of: source, database.connection)
      #expect(!isSeen || distance == -1 || taken.recent.isEmpty)
    }
  }

  @Test func `numbers are looked for where transactions are under way, and where a turn may have passed`() {
    #expect(!Horizon.mayBeMet(from: 1000, before: 1000))
    #expect(Horizon.mayBeMet(from: 1000, before: 1001))
    #expect(!Horizon.mayBeMet(from: 3_000_000_000, before: 3_000_000_000))
    #expect(Horizon.mayBeMet(from: 4_200_000_000, before: 4_200_000_000))
    #expect(Horizon.mayBeMet(from: 9_000_000_000, before: 9_000_000_000))
  }

  @Test func `a horizon tells nothing any more when the numbers have come round`() {
    let horizon = Horizon(oldest: 5_000_000_000, recent: [5_000_000_007], next: 5_000_000_010)
    #expect(horizon.isValid(at: 5_000_000_010))
    #expect(horizon.isValid(at: 5_000_000_000 + (1 << 31) - 1))
    #expect(!horizon.isValid(at: 5_000_000_000 + 1 << 31))
  }

  @Test func `an id of a frozen row from before the last turn is no proof once it is given out again`() {
    let ancient = Horizon(oldest: 5_000_000_000, recent: [5_000_001_000], next: 5_000_000_010)
    #expect(ancient.isValid(at: 5_000_000_500))
    #expect(!ancient.isValid(at: 5_000_001_001))
  }

  @Test func `ids are completed from their lower half`() {
    #expect(Horizon.full(7, notBefore: (1 << 32) - 5) == (1 << 32) + 7)
    #expect(Horizon.full(0xFFFF_FFFE, before: (1 << 32) + 3) == 0xFFFF_FFFE)
    #expect(Horizon.full(2, before: (1 << 32) + 3) == (1 << 32) + 2)
  }
}
