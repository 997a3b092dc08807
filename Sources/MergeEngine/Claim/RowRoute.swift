/// How the rows of a batch come from staging to production.
enum RowRoute: CaseIterable {
  /// All rows are read whole, and those to be written are sent back.
  case wholeRows
  /// Keys and versions are read; the rows to be written are copied by the server itself, by their addresses.
  case withinServer

  /// The route can't be taken after all, and the batch must be carried on another one.
  struct Closed: Error {}
}

/// Chooses each batch's route by what the batch before has shown.
///
/// Within the server none but keys and versions are sent; in the usual reload, where most rows turn out equal, the other
/// columns are most of the bytes.
struct RouteChoice {
  /// Columns that whole rows have besides key and version.
  private let fieldCount: Double
  private var open: Set<RowRoute>
  /// Of the batches so far; nil before the first one, which is read whole.
  private var shares: (inserted: Double, updated: Double)?

  /// Only whole rows are read where a read can fail (a value that can't be cast makes its row an error whether the row would
  /// be written or not), and where the client itself must see or keep values.
  ///
  /// - Parameter isOneDatabase: staging is where production is.
  init(_ plan: TablePlan, isOneDatabase: Bool) {
    fieldCount = Double(plan.columns.count - plan.comparedColumnCount)
    open = [.wholeRows]
    guard isOneDatabase, plan.citus == nil, plan.reading.snapshot == nil, plan.writing.ties == nil,
      plan.writing.images == nil,
      !plan.writing.triggers.onInsert, !plan.writing.triggers.onUpdate
    else { return }
    if plan.columns.allSatisfy(\.isReadAsItIs) { open.insert(.withinServer) }
  }

  /// Whether a batch may ever take the route.
  func isOpen(_ route: RowRoute) -> Bool { open.contains(route) }

  /// The route that the next batch is likely to be cheapest on; of equal ones that which sends least.
  var next: RowRoute {
    guard let shares else { return .wholeRows }
    let candidates = RowRoute.allCases.reversed().filter(open.contains)
    return candidates.min { cost(of: $0, shares) < cost(of: $1, shares) } ?? .wholeRows
  }

  /// A batch has shown how many of its rows had to be written.
  mutating func learn(insertedCount: Int, updatedCount: Int, rowCount: Int) {
    guard rowCount > 0 else { return }
    shares = (Double(insertedCount) / Double(rowCount), Double(updatedCount) / Double(rowCount))
  }

  /// A route has failed on something that is no fault of a row, and is not taken any more.
  mutating func close(_ routes: RowRoute...) {
    open.subtract(routes)
  }

  /// Microseconds a row that the routes do not have in common, on average over the rows of a batch.
  ///
  /// Measured with 3 and with 58 fields (PostgreSQL 15, client beside the server).
  private func cost(of route: RowRoute, _ shares: (inserted: Double, updated: Double)) -> Double {
    let sending = 0.11 * fieldCount
    let filling = 0.18 * fieldCount * shares.updated
    switch route {
    case .wholeRows: return sending + filling
    // An INSERT costs more than a COPY, and fetching single rows more than reading them in one go.
    case .withinServer: return (2 + 0.08 * fieldCount) * shares.inserted + 2.5 * shares.updated
    }
  }
}
