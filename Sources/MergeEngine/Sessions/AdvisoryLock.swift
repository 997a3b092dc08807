import Libpq

/// The engine's advisory locks. They belong to a session and vanish with it, whatever ends it.
///
/// The two-key form keeps them apart from locks of others: the first key says what the second one counts.
enum AdvisoryLock {
  /// "MERT": one merge at a time per production table, by its oid.
  static let tableClass: Int32 = 0x4D45_5254
  /// "MERR": a run is alive, by its id.
  static let runClass: Int32 = 0x4D45_5252
  /// "MERB": a batch is under way, by its production table's oid.
  static let batchClass: Int32 = 0x4D45_5242
  /// "MERA": somebody makes the admin schema.
  static let adminSchemaClass: Int32 = 0x4D45_5241

  /// The key of a run's lock. Runs of two admin schemas have the same ids; for the contract's name the key is the id, as
  /// earlier versions have it.
  static func runKey(_ id: Int, admin: String) -> Int32 {
    Int32(truncatingIfNeeded: id) ^ hash(admin) ^ hash(Schemas().admin)
  }

  /// The run of a key.
  ///
  /// - Returns: nil for a key that no run of this admin schema has: of another one, as good as always.
  static func runID(_ key: Int32, admin: String) -> Int? {
    let id = Int(key ^ hash(admin) ^ hash(Schemas().admin))
    return id > 0 && runKey(id, admin: admin) == key ? id : nil
  }

  /// FNV-1a, 32 bits: <https://datatracker.ietf.org/doc/draft-eastlake-fnv/>.
  private static func hash(_ text: String) -> Int32 {
    Int32(bitPattern: text.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 })
  }

  /// - Returns: whether the lock was free and is now held by this session.
  static func tryAcquire(_ lockClass: Int32, _ key: Int32, on connection: Connection) throws(PostgresError) -> Bool {
    let result = try connection.query(
      "SELECT pg_try_advisory_lock($1, $2)",
      [.integer(lockClass), .integer(key)],
      "taking an advisory lock"
    )
    return result.bool(0, 0) == true
  }

  /// - Returns: of each key whether the lock was free and is now held by this session.
  static func tryAcquire(_ lockClass: Int32, _ keys: [Int32], on connection: Connection) throws(PostgresError) -> [Bool]
  {
    let result = try connection.query(
      """
      SELECT pg_try_advisory_lock($1, k.key::integer) FROM unnest($2::text[]) WITH ORDINALITY AS k (key, position)
      ORDER BY k.position
      """,
      [.integer(lockClass), .textArray(keys.map(String.init))],
      "taking advisory locks"
    )
    return (0..<result.count).map { result.bool($0, 0) == true }
  }

  static func release(_ lockClass: Int32, _ key: Int32, on connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      "SELECT pg_advisory_unlock($1, $2)",
      [.integer(lockClass), .integer(key)],
      "releasing an advisory lock"
    )
  }
}
