import Foundation
import Libpq
import Logging

/// Runs that begin with a load: opened before the first row is in staging, annotated on the way, found again later.
///
/// Such a run is LOADING until its merge begins. No lock stands for it, since a load goes on without this process.
package struct LoadingRuns: Sendable {
  /// A run as `merge_summary` has it.
  package struct Run: Sendable {
    /// Its id.
    package let id: Int
    /// Its status; nil for a word that this version does not know.
    package let status: RunStatus?
    /// When it was opened, in seconds since 1970.
    package let startedSecondsSince1970: Double
    /// What was said about it.
    package let annotations: [String: String]
    /// The zone in which its times are meant; nil until its merge has begun.
    package let timeZone: String?
  }

  private let session: Session
  private let schemas: Schemas

  /// - Parameters:
  ///   - target: the database with the admin schema.
  ///   - schemas: where it is.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, schemas: Schemas, logger: Logger) {
    session = Session(target: target, schemas: schemas, logger: logger)
    self.schemas = schemas
  }

  /// Opens a run.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` without the right to make what is missing in the admin schema.
  package func open(_ annotations: [String: String]) throws -> Int {
    let connection = try connect()
    try AdminSchema(schemas: schemas).complete(connection)
    let id = try RunNumber.open(
      admin,
      columns: "merge_start, status, parameters, engine_version",
      values:
        "clock_timestamp() AT TIME ZONE 'UTC', 'LOADING', jsonb_build_object('annotations', $1, 'schemas', $3), $2",
      [.jsonb(try json(annotations)), .text(EngineVersion.current), .jsonb(try json(schemas))],
      connection
    )
    try connection.execute("COMMIT", "opening the run")
    return id
  }

  /// Adds to what is said about a run.
  package func annotate(_ id: Int, _ annotations: [String: String]) throws {
    _ = try connect().query(
      """
      UPDATE \(admin).merge_summary
      SET parameters = jsonb_set(coalesce(parameters, '{}'), '{annotations}',
                                 coalesce(parameters -> 'annotations', '{}') || $2)
      WHERE id = $1
      """,
      [.bigint(id), .jsonb(try json(annotations))],
      "recording the run"
    )
  }

  /// Closes a run that never came to its merge.
  package func close(_ id: Int, _ status: RunStatus, notes: String) throws {
    _ = try connect().query(
      """
      UPDATE \(admin).merge_summary
      SET status = $2, notes = $3, merge_end = clock_timestamp() AT TIME ZONE 'UTC'
      WHERE id = $1
      """,
      [.bigint(id), .text(status.rawValue), .text(notes)],
      "closing the run"
    )
  }

  /// The runs of these schemas with that annotation, newest first; none where nothing was ever merged.
  ///
  /// - Parameter id: only this run.
  package func runs(annotatedWith key: String, id: Int? = nil) throws -> [Run] {
    let connection = try connect()
    guard try AdminSchema(schemas: schemas).columns(connection).contains("merge_summary.parameters") else { return [] }
    try RunRecord.closeDeadRuns(connection, schemas)
    let rows = try connection.query(
      """
      SELECT id, status::text, extract(epoch FROM merge_start AT TIME ZONE 'UTC')::float8,
             (parameters -> 'annotations')::text, parameters ->> 'time_zone'
      FROM \(admin).merge_summary AS r
      WHERE parameters -> 'annotations' ? $1 AND ($2::bigint IS NULL OR id = $2) AND \(PairSQL(schemas: schemas).ownsRun("r"))
      ORDER BY id DESC
      """,
      [.text(key), .bigint(id)],
      "looking for the run"
    )
    return try (0..<rows.count).map { row in
      Run(
        id: rows.integer(row, 0) ?? 0,
        status: rows.text(row, 1).flatMap { RunStatus(rawValue: $0) },
        startedSecondsSince1970: rows.double(row, 2) ?? 0,
        annotations: try JSONDecoder().decode([String: String].self, from: Data((rows.text(row, 3) ?? "{}").utf8)),
        timeZone: rows.text(row, 4)
      )
    }
  }

  private var admin: Identifier { Identifier(schemas.admin) }

  private func connect() throws -> Connection {
    try session.reachControl()
  }

  private func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
