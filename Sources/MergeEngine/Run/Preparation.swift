import Libpq
import Logging

/// What is settled before a run is opened: everything that could stand against it, without writing anything.
struct Preparation {
  let options: MergeOptions
  let logger: Logger

  /// Resolves the plan.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with all blockers at once, ``MergeFailure/usage(_:)`` for a window that
  ///   is none.
  func plan(_ connection: Connection) throws -> MergePlan {
    let schemas = options.schemas
    try requireSchemas(connection)
    let catalog = try Catalog(connection, schemas: [schemas.staging, schemas.production])
    let plan = MergePlan(catalog, options)
    guard plan.blockers.isEmpty else { throw MergeFailure.blocked(plan.blockers) }
    let denied = try AccessCheck(options: options).blockers(plan, connection)
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    for table in plan.tables { try checkWindow(table, connection) }
    let unreadable = try plan.tables.compactMap { try unreadableFinding($0, connection) }
    guard unreadable.isEmpty else { throw MergeFailure.blocked(unreadable) }
    for warning in plan.warnings {
      logger.warning("\(warning.message)", metadata: warning.table.map { ["table": "\($0)"] })
    }
    return plan
  }

  /// Takes every table's lock, which belongs to the connection and ends with it.
  ///
  /// - Throws: ``MergeFailure/busy(table:)`` when another merge holds one.
  static func lockTables(of plan: MergePlan, _ connection: Connection) throws {
    for table in plan.tables {
      let key = Int32(bitPattern: table.productionOid)
      guard try AdvisoryLock.tryAcquire(AdvisoryLock.tableClass, key, on: connection) else {
        throw MergeFailure.busy(table: table.name)
      }
    }
  }

  private func requireSchemas(_ connection: Connection) throws {
    let names = [options.schemas.staging, options.schemas.production]
    let rows = try connection.query(
      "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY ($1::text[])",
      [.textArray(names)],
      "looking for the schemas"
    )
    let present = (0..<rows.count).compactMap { rows.text($0, 0) }
    let missing = names.filter { !present.contains($0) }
    guard missing.isEmpty else {
      throw MergeFailure.blocked(
        missing.map { name in
          name == options.schemas.staging
            ? .blocker(
              nil,
              "there is no schema \(name). Make staging with merge-engine init, or name it: --staging-schema."
            )
            : .blocker(nil, "there is no schema \(name). Name the production schema: --production-schema.")
        }
      )
    }
  }

  private func checkWindow(_ table: TablePlan, _ connection: Connection) throws {
    guard table.window.from != nil || table.window.to != nil else { return }
    let type = table.version.baseType.fullName
    do {
      let result = try connection.query(
        "SELECT $1::text::\(type) < $2::text::\(type)",
        [.text(table.window.from), .text(table.window.to)],
        "reading --from and --to"
      )
      guard result.bool(0, 0) != false else {
        throw MergeFailure.usage("--from \(table.window.from ?? "") is not before --to \(table.window.to ?? "").")
      }
    } catch let error as PostgresError where error.sqlState?.refusesRow == true {
      throw MergeFailure.usage(
        "--from and --to must be values of \(table.version.name) in \(table.production), which is \(type): \(error.message)."
      )
    }
  }

  /// Has the server read no row at all by the statement that will read them all: casts that don't exist show here.
  private func unreadableFinding(_ table: TablePlan, _ connection: Connection) throws -> Finding? {
    do {
      _ = try connection.query(
        "SELECT \(ClaimSQL.outputs(table)) FROM \(table.staging) AS s LIMIT 0",
        "reading \(table.staging)"
      )
      return nil
    } catch {
      guard error.origin == .server else { throw error }
      return .blocker(
        table.name,
        "\(table.staging) can't be read as the types of \(table.production): \(error.message)"
          + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "") + "."
      )
    }
  }
}

/// Turns a failed first connection into the failure that the contract has an exit status for.
enum Reaching {
  static func database(_ connect: () throws(PostgresError) -> Connection) throws(MergeFailure) -> Connection {
    do {
      return try connect()
    } catch {
      throw .unreachable(error)
    }
  }
}
