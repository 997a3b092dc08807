import Libpq

/// Has the server look keys up in a way that reads pages ahead: for tables that are larger than memory.
///
/// An index scan asks for one page after the other, and waits for each. A bitmap scan knows all pages of a batch beforehand and
/// has `effective_io_concurrency` of them read at a time. From memory it is no faster.
struct ReadAhead {
  private let beginning: SQL
  private let ending: SQL

  /// A batch's keys must find room in the bitmap page by page: beyond that every row of a page is held against all keys.
  private static let workMemoryByteCount = 32 << 20
  /// As many reads at a time as disks of the kind that servers have answer together. Arbitrary.
  private static let concurrency = 64

  /// Looks what the session has set. What nobody has chosen, and what is too little, is replaced for as long as a look-up takes.
  init(_ connection: Connection) throws(PostgresError) {
    let settings = try connection.query(
      """
      SELECT pg_size_bytes(current_setting('work_mem')),
             (SELECT s.setting::bigint = 0 OR s.source = 'default' AND s.setting::bigint = 1
              FROM pg_settings s WHERE s.name = 'effective_io_concurrency')
      """,
      "reading the server's read-ahead settings"
    )
    var beginning: SQL = """
      SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;
      SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = off
      """
    var ending: SQL = """
      SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on;
      SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = on
      """
    if (settings.integer(0, 0) ?? 0) < Self.workMemoryByteCount {
      beginning = beginning + "; SET LOCAL work_mem = '\(Self.workMemoryByteCount >> 10)kB'"
      ending = ending + "; RESET work_mem"
    }
    if settings.bool(0, 1) == true {
      beginning = beginning + "; SET LOCAL effective_io_concurrency = \(Self.concurrency)"
      ending = ending + "; RESET effective_io_concurrency"
    }
    self.beginning = beginning
    self.ending = ending
  }

  /// Runs look-ups so.
  ///
  /// - Precondition: a transaction is open, and what `body` prepares and executes is executed only within.
  /// - Throws: what `body` throws; then the settings end with the transaction.
  func during<Value>(on connection: Connection, _ body: () throws -> Value) throws -> Value {
    try connection.execute(beginning, "setting up read-ahead")
    let value = try body()
    try connection.execute(ending, "setting up read-ahead")
    return value
  }
}
