import MergeEngine

/// A number that is looked for first.
struct KeyFigure {
  let label: String
  let value: String
  let unit: String?

  static func all(_ run: StoredRun) -> [KeyFigure] {
    let totals = run.totals
    let seconds = run.elapsedSeconds ?? 0
    return [
      KeyFigure(label: "Read from staging", value: Numbers.grouped(totals.read), unit: "rows"),
      KeyFigure(
        label: "Written to production",
        value: Numbers.grouped(totals.inserted + totals.updated),
        unit: "rows"
      ),
      KeyFigure(label: "Refused", value: Numbers.grouped(totals.errors), unit: "rows"),
      KeyFigure(
        label: "Rate",
        value: seconds > 0 ? Numbers.grouped(Int(Double(totals.read) / seconds)) : "-",
        unit: "rows/s"
      ),
      KeyFigure(label: "Duration", value: Numbers.duration(milliseconds: Int(seconds * 1000)), unit: nil),
    ]
  }
}

/// What the figures belong to.
struct Fact {
  let label: String
  let value: String

  static func all(_ run: StoredRun) -> [Fact] {
    [
      Fact(label: "Database", value: run.place.database + (run.place.host.map { " on \($0)" } ?? "")),
      Fact(label: "Server", value: "PostgreSQL \(run.place.serverVersion)"),
      Fact(label: "Schemas", value: schemas(run)),
      Fact(label: "Started", value: run.startedAt.map { "\(Times.utc($0)) UTC" } ?? "-"),
      Fact(label: "Ended", value: run.finishedAt.map { "\(Times.utc($0)) UTC" } ?? "still going"),
      Fact(label: "Window", value: window(run)),
      Fact(label: "Workers", value: workers(run)),
      Fact(
        label: "Batch",
        value: run.parameter("batch_rows").flatMap { Int($0) }.map { Numbers.counted($0, "row") } ?? "-"
      ),
      Fact(label: "Merged by", value: run.engineVersion.map { "merge-engine \($0)" } ?? "the guide's own SQL"),
    ]
  }

  /// As many as were asked for, or as were found to pay.
  private static func workers(_ run: StoredRun) -> String {
    guard run.parameter("atomic") != "yes" else { return "1, atomic" }
    if let count = run.parameter("workers") { return count }
    guard run.engineVersion != nil else { return "-" }
    return run.throughput.map { $0.workers.isEmpty ? "auto" : "auto, \($0.workers.count) at most" } ?? "auto"
  }

  /// From where to where, as far as the run has recorded it.
  private static func schemas(_ run: StoredRun) -> String {
    guard let staging = run.parameter("schemas.staging"), let production = run.parameter("schemas.production") else {
      return "-"
    }
    return "\(staging) into \(production)"
  }

  /// From is in the window, to is not.
  private static func window(_ run: StoredRun) -> String {
    switch (run.parameter("from"), run.parameter("to")) {
    case (nil, nil): "all versions"
    case (let from?, nil): "from \(from)"
    case (nil, let to?): "before \(to)"
    case (let from?, let to?): "from \(from), before \(to)"
    }
  }
}
