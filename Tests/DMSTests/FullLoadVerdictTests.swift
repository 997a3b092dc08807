import DMS
import Testing

@Suite struct FullLoadVerdictTests {
  private let start = AWSTimestamp(secondsSince1970: 1_700_000_000)

  private var task: ReplicationTask {
    var task = ReplicationTask(identifier: "reload-12", arn: "arn:task:12", status: .stopped)
    task.stopReason = "Stop Reason FULL_LOAD_ONLY_FINISHED"
    var counters = TaskStatistics()
    (counters.tablesLoaded, counters.tablesLoading, counters.tablesQueued, counters.tablesErrored) = (2, 0, 0, 0)
    counters.fullLoadProgressPercent = 100
    counters.startDate = AWSTimestamp(secondsSince1970: 1_700_000_010)
    counters.freshStartDate = counters.startDate
    task.statistics = counters
    return task
  }

  private var tables: [TableStatistics] {
    [
      TableStatistics(schemaName: "SHOP", tableName: "CUSTOMERS", tableState: "Table completed", fullLoadRows: 10),
      TableStatistics(schemaName: "SHOP", tableName: "ORDERS", tableState: "Table completed", fullLoadRows: 20),
    ]
  }

  private var expected: [ExpectedTable] {
    [("CUSTOMERS", 10), ("ORDERS", 20)].map { name, rows in
      ExpectedTable(
        sourceSchema: "SHOP",
        sourceTable: name,
        targetSchema: "staging",
        targetTable: name.lowercased(),
        stagingRows: rows,
        rowsOutsideWindow: 0
      )
    }
  }

  private func codes(
    task changeTask: (inout ReplicationTask) -> Void = { _ in },
    tables changeTables: (inout [TableStatistics]) -> Void = { _ in },
    expected changeExpected: (inout [ExpectedTable]) -> Void = { _ in }
  ) -> [LoadProblem.Code] {
    var (task, tables, expected) = (task, tables, expected)
    changeTask(&task)
    changeTables(&tables)
    changeExpected(&expected)
    let verdict = FullLoadVerdict.judge(task: task, tables: tables, expected: expected, startedAt: start)
    #expect(verdict.problems.allSatisfy { $0.description.contains("reload-12") })
    return verdict.problems.map(\.code)
  }

  @Test func aLoadInWhichEverythingFitsIsGood() {
    #expect(FullLoadVerdict.judge(task: task, tables: tables, expected: expected, startedAt: start) == .good)
  }

  @Test func statisticsMayHaveTheTargetsNames() {
    #expect(
      codes(tables: {
        $0[0].schemaName = "staging"; $0[0].tableName = "customers"
      }) == []
    )
  }

  @Test func stoppedWithTheUsualReasonAndNoTableIsNotGood() {
    // As the console's "error" and AWS's own example look: stopped, FULL_LOAD_ONLY_FINISHED, 100 %, nothing loaded.
    let found = codes(task: { $0.statistics?.tablesLoaded = 0 }, tables: { $0 = [] })
    #expect(found == [.wrongTableCount, .tableMissing, .tableMissing])
  }

  @Test(arguments: ["failed", "running", "starting", "failed-move"])
  func everyOtherStateThanStoppedIsNotGood(_ status: String) {
    #expect(codes(task: { $0.status = TaskStatus(rawValue: status) }) == [.notStopped])
  }

  @Test(arguments: [
    "Stop Reason NORMAL", "Stop Reason RECOVERABLE_ERROR", "Stop Reason FATAL_ERROR",
    "Stop Reason STOPPED_AFTER_FULL_LOAD",
    "Stop Reason STOPPED_DUE_TO_LOW_MEMORY", "Stop Reason STOPPED_DUE_TO_LOW_DISK", "Stop Reason RECYCLE_TASK",
    "NOT_FULL_LOAD_ONLY_FINISHED", "",
  ])
  func everyOtherStopReasonIsNotGood(_ reason: String) {
    #expect(codes(task: { $0.stopReason = reason }) == [.otherStopReason])
  }

  @Test func noStopReasonIsNotGood() {
    #expect(codes(task: { $0.stopReason = nil }) == [.otherStopReason])
  }

  @Test func theLastFailureMessageIsPartOfTheReason() {
    var failed = task
    failed.status = .failed
    failed.lastFailureMessage = "Last Error: ORA-01555"
    let verdict = FullLoadVerdict.judge(task: failed, tables: tables, expected: expected, startedAt: start)
    #expect(verdict.problems.first?.description.contains("ORA-01555") == true)
  }

  @Test func aLoadOfWhichNothingWasExpectedIsNotGood() {
    #expect(
      codes(task: { $0.statistics?.tablesLoaded = 0 }, tables: { $0 = [] }, expected: { $0 = [] }) == [.wrongTableCount]
    )
  }

  @Test func countersMustBeThereAndSayZero() {
    #expect(codes(task: { $0.statistics = nil }) == [.noStatistics])
    #expect(codes(task: { $0.statistics?.tablesErrored = 1 }) == [.tablesErrored])
    #expect(codes(task: { $0.statistics?.tablesErrored = nil }) == [.tablesErrored])
    #expect(codes(task: { $0.statistics?.tablesLoading = 1 }) == [.tablesUnfinished])
    #expect(codes(task: { $0.statistics?.tablesQueued = 1 }) == [.tablesUnfinished])
    #expect(codes(task: { $0.statistics?.tablesLoading = nil }) == [.tablesUnfinished])
    #expect(codes(task: { $0.statistics?.tablesQueued = nil }) == [.tablesUnfinished])
    #expect(codes(task: { $0.statistics?.tablesLoaded = 3 }) == [.wrongTableCount])
    #expect(codes(task: { $0.statistics?.tablesLoaded = nil }) == [.wrongTableCount])
  }

  private func started(_ task: inout ReplicationTask, _ time: AWSTimestamp?) {
    task.statistics?.startDate = time
    task.statistics?.freshStartDate = time
  }

  @Test func countersOfAnEarlierStartAreNotThisRuns() {
    let earlier = AWSTimestamp(secondsSince1970: 1_600_000_000)
    #expect(codes(task: { started(&$0, earlier) }) == [.staleStatistics])
    #expect(codes(task: { started(&$0, nil) }) == [.staleStatistics])
    // A clock that is a minute behind is not an earlier run.
    let skewed = AWSTimestamp(secondsSince1970: 1_699_999_940)
    #expect(codes(task: { started(&$0, skewed) }) == [])
  }

  @Test(arguments: [
    "Table error", "Table does not exist", "Before load", "Full load", "Table cancelled", "Table is being reloaded",
    "New word",
  ])
  func everyOtherTableStateThanCompletedIsNotGood(_ state: String) {
    #expect(codes(tables: { $0[1].tableState = state }) == [.tableNotCompleted])
  }

  @Test func aTableWithoutStateOrStatisticsIsNotGood() {
    #expect(codes(tables: { $0[1].tableState = nil }) == [.tableNotCompleted])
    #expect(codes(tables: { $0.removeLast() }) == [.tableMissing])
  }

  @Test func aTableThatNobodyAskedForIsNotGood() {
    #expect(
      codes(tables: { $0.append(TableStatistics(schemaName: "SHOP", tableName: "SECRETS")) }) == [.tableUnexpected]
    )
  }

  @Test func rowsThatWereLeftOutAreNotGood() {
    #expect(codes(tables: { $0[0].errorRows = 1 }) == [.rowsLeftOut])
    #expect(codes(tables: { $0[0].conditionFailedRows = 2 }) == [.rowsLeftOut])
  }

  @Test func moreOrFewerRowsInStagingThanLoadedAreNotGood() {
    #expect(codes(expected: { $0[0].stagingRows = 9 }) == [.rowsDiffer])
    #expect(codes(expected: { $0[0].stagingRows = 11 }) == [.rowsDiffer])
    #expect(codes(tables: { $0[0].fullLoadRows = nil }) == [.rowsDiffer])
  }

  @Test func rowsOutsideOfTheWindowAreNotGood() {
    #expect(codes(expected: { $0[1].rowsOutsideWindow = 7 }) == [.rowsOutsideWindow])
  }

  @Test func everyProblemOfABadLoadIsReportedWithItsTable() {
    var (task, tables) = (task, tables)
    task.status = .failed
    tables[1].tableState = "Table error"
    let problems = FullLoadVerdict.judge(task: task, tables: tables, expected: expected, startedAt: start).problems
    #expect(problems.map(\.code) == [.notStopped, .tableNotCompleted])
    #expect(
      problems.last?.description.hasPrefix("task reload-12, table staging.orders: its state is \"Table error\"") == true
    )
  }
}
