import Libpq

/// Settings that end with what is read under them, whatever the session has otherwise.
enum LocalSettings {
  /// Under these every value is written as the same text, whatever role, database and client have set: for what is kept, and
  /// looked up by other sessions later.
  static let exactText: SQL = "\(exactFormats); SET LOCAL search_path = pg_catalog"

  /// The same for values without names in them, where types are named as the session's path finds them.
  static let exactFormats: SQL = """
    SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C';
    SET LOCAL quote_all_identifiers = off
    """

  /// Runs `body`, which writes nothing: it is undone together with the settings.
  static func reading<Value>(
    under settings: SQL,
    on connection: Connection,
    _ body: () throws(PostgresError) -> Value
  ) throws(PostgresError) -> Value {
    let isPart = connection.isInTransaction
    let (begin, end): (SQL, SQL) =
      isPart ? ("SAVEPOINT reading", "ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading") : ("BEGIN", "ROLLBACK")
    let operation = "reading with its own settings"
    try connection.execute("\(begin); \(settings)", operation)
    let result: Result<Value, PostgresError>
    do throws(PostgresError) {
      result = .success(try body())
    } catch {
      result = .failure(error)
    }
    if !connection.isBroken { try connection.execute(end, operation) }
    return try result.get()
  }
}
