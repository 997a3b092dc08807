/// How the next batch of a table is carried: the one place where that is chosen.
///
/// | question | answers | decides |
/// |---|---|---|
/// | in which order is staging read? | as it lies, range by range; or by production's keys, which a cursor of the server has sorted | ``KeyOrderChoice``, before a round: production larger than memory, a key of numbers, text or uuid, staging in another order |
/// | how are production's versions looked up? | from memory: index scans, dense stretches from end to end; cold: the same by bitmap scans, which read ahead | ``Temperature``: the catalog before the first batch, then the pages that the last one had to read, and the time for them |
/// | who sends the rows to be written? | the client, which has read them whole; or the server itself, by their addresses | ``RouteChoice``: what the last batch had to write, and what the table's columns allow |
/// | how careful? | fast, asking, careful | `Worker.reaction(to:)`: what the server has refused; only fast batches may be the server's own |
///
/// A batch that fails is carried again on the next way down, or in halves; a table that turns out otherwise than it was thought
/// to be is treated otherwise from its next batch on.
struct WayChoice {
  /// One way.
  struct Way {
    let route: RowRoute
    /// Production is larger than memory.
    let readsAhead: Bool
  }

  private var routes: RouteChoice
  private var temperature: Temperature

  /// - Parameter isOneDatabase: staging is where production is.
  init(_ plan: TablePlan, isOneDatabase: Bool) {
    routes = RouteChoice(plan, isOneDatabase: isOneDatabase)
    temperature = Temperature(plan.reading.cacheFit)
  }

  /// Whether a batch may ever have the server copy rows.
  var mayCopyWithinServer: Bool { routes.isOpen(.withinServer) }

  /// The way of the next batch.
  func next(_ mode: Stations.Mode, _ place: BatchPlace) -> Way {
    let route: RowRoute = if mode == .fast, case .blocks = place { routes.next } else { .wholeRows }
    return Way(route: route, readsAhead: temperature.isCold)
  }

  /// A batch has shown how many of its rows had to be written.
  mutating func learn(insertedCount: Int, updatedCount: Int, rowCount: Int) {
    routes.learn(insertedCount: insertedCount, updatedCount: updatedCount, rowCount: rowCount)
  }

  /// A batch has shown which pages had to be read, and how long its look-ups took.
  mutating func learn(_ pages: PageCounts, lookUpTime: Duration) {
    temperature.learn(pages, lookUpTime: lookUpTime)
  }

  /// The server can't copy the rows after all.
  mutating func closeWithinServer() { routes.close(.withinServer) }
}
