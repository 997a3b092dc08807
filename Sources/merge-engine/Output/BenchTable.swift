import Bench
import MergeEngine

/// The result of a bench as a person reads it: a table a workload.
struct BenchTable {
  let report: BenchReport

  func rendered(_ style: Style) -> TerminalText {
    report.workloads.map { section($0, style) }.joined("\n") + "\n" + footer
  }

  private static let figures = [
    "median", "spread", "runs", "rows/s", "× guide", "÷ floor", "server CPU", "÷ floor", "client CPU",
    "client peak", "WAL", "dead tuples", "CDC waited",
  ]

  private func section(_ workload: BenchReport.WorkloadReport, _ style: Style) -> TerminalText {
    var table = TextTable(["contender"], numbers: Self.figures)
    for contender in workload.contenders { table.add(cells(contender, workload)) }
    let name = style.paint("\(workload.workload.rawValue)", .bold)
    return """
      \(name): \(workload.summary); \(Numbers.grouped(workload.stagedRowCount)) staging rows, \
      \(Numbers.grouped(workload.productionRowCount)) in production

      \(table.rendered(style))
      """
  }

  private func cells(_ contender: BenchReport.ContenderReport, _ workload: BenchReport.WorkloadReport) -> [String] {
    // A fast wrong answer is no time at all.
    guard contender.isRight else {
      return [contender.name, "WRONG RESULT"] + Array(repeating: "", count: Self.figures.count - 1)
    }
    let rows = Double(workload.stagedRowCount)
    let spread = contender.spreadSeconds
    return [
      contender.name,
      Numbers.decimal(contender.medianSeconds, places: 2) + " s",
      contender.measurements.count > 1
        ? "\(Numbers.decimal(spread.lowerBound, places: 2))–\(Numbers.decimal(spread.upperBound, places: 2))" : "-",
      "\(contender.measurements.count)",
      Numbers.grouped(Int(rows / contender.medianSeconds)),
      workload.speedup(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
      workload.overFloor(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
      contender.serverCPUSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
      workload.cpuOverFloor(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
      contender.clientCPUSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
      contender.clientPeakBytes.map(Numbers.bytes) ?? "-",
      Numbers.bytes(contender.walBytes),
      Numbers.grouped(contender.deadTuples),
      contender.longestWriteSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
    ]
  }

  private var footer: TerminalText {
    let machine = report.machine
    let settings = report.server.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let label: TerminalText = report.parameters.label.map { "; \($0)" } ?? ""
    return """
      \(report.startedAt.formatted(.iso8601)), took \(Numbers.duration(milliseconds: Int(report.elapsedSeconds * 1000)))
      \(report.parameters.command)
      merge-engine \(report.engineVersion)\(label)
      PostgreSQL \(report.server.version): \(settings.joined(separator: ", "))
      \(machine.processor.map { "\($0), " } ?? "" as TerminalText)\(machine.cores) cores, \(Numbers.bytes(Int(machine.memoryBytes))) of \
      memory; \(machine.system)
      × guide: times as fast as the guide's statements; ÷ floor: times as long, or as much CPU time, as the bare \
      writes. Every contender runs with jit = off.

      """
  }
}
