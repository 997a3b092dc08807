import MergeEngine

/// What verifications after the run found: the newest of all its tables, and a newer one of less.
struct VerificationSection {
  private let run: StoredRun

  init(_ run: StoredRun) {
    self.run = run
  }

  var html: String {
    guard !run.verifications.isEmpty else { return Self.missing.render(()) }
    return run.verifications.enumerated().map { index, verification in
      Self.template.render(
        Model(
          verification,
          run.tables,
          id: index == 0 ? "verification" : "later-verification",
          heading: index == 0 ? "Verification" : "Later verification of a part"
        )
      )
    }.joined()
  }

  private struct Model {
    let id: String
    let heading: String
    let scope: String?
    let mark: StatusMark
    let verdict: String
    let counts: [Counts]
    let hasSamples: Bool
    let samples: [Sample]
    let hasMismatches: Bool
    let mismatches: [TypeDifference]
    let remarks: [Remark]

    init(_ verification: StoredRun.Verification, _ tables: [StoredRun.Table], id: String, heading: String) {
      let report = verification.report
      self.id = id
      self.heading = heading
      scope = Self.scope(verification, tables)
      mark = StatusMark(word: report.status.rawValue)
      let time = verification.verifiedAt.map { "\(Times.utc($0)) UTC: " } ?? ""
      let compared = Numbers.grouped(report.comparedCount)
      verdict =
        switch report.status {
        case .success: "\(time)\(compared) merged rows were compared, and production is as it should be."
        case .partial:
          "\(time)\(compared) merged rows were compared, and production is as it should be; "
            + "\(Numbers.counted(report.standingErrors ?? 0, "row")) stood refused and could not be compared."
        case .different: "\(time)\(compared) merged rows were compared, and production is not what was merged."
        case .nothingCompared: "\(time)there were no rows to compare, which says nothing about production."
        case .blocked: "\(time)the rows could not be compared."
        case .aborted: "\(time)the comparison was interrupted."
        }
      counts = report.tables.map(Counts.init)
      samples = report.tables.flatMap(Sample.all)
      hasSamples = !samples.isEmpty
      mismatches = report.types.filter(\.isMismatch)
      hasMismatches = !mismatches.isEmpty
      remarks =
        report.findings.map { Remark(subject: $0.table, text: $0.message) }
        + report.tables.compactMap { table in
          table.extra.note.map { Remark(subject: table.table, text: "extra rows \($0)") }
        }
    }

    /// What was left out; nil when that was nothing.
    private static func scope(_ verification: StoredRun.Verification, _ tables: [StoredRun.Table]) -> String? {
      let omitted = verification.omitted(of: tables)
      let scope = verification.report.scope
      let bounds = [scope?.from.map { "not before \($0)" }, scope?.to.map { "before \($0)" }].compactMap(\.self)
      let parts =
        (omitted.isEmpty ? [] : ["Not compared: \(omitted.joined(separator: ", "))."])
        + (bounds.isEmpty ? [] : ["Only rows whose version is \(bounds.joined(separator: " and ")) were compared."])
      return parts.isEmpty ? nil : parts.joined(separator: " ")
    }
  }

  private struct Counts {
    let table: String
    let cells: [String]
    let differing: [Cell]

    struct Cell {
      let count: String
      let isWrong: Bool
    }

    init(_ table: VerifyReport.Table) {
      let counts = table.counts
      self.table = table.table
      cells = [counts.comparedCount, counts.equal, counts.productionNewer].map(Numbers.grouped)
      let extra = Cell(
        count: table.extra.windowCount == nil ? "-" : Numbers.grouped(table.extra.count),
        isWrong: table.extra.count > 0
      )
      differing =
        [counts.missing + counts.deletedSince, counts.outdated, counts.differing].map {
          Cell(count: Numbers.grouped($0), isWrong: $0 > 0)
        } + [extra]
    }
  }

  private struct Sample {
    let table: String
    let kind: String
    let key: String
    let column: String
    let production: String
    let staging: String

    /// A line for every column that differs; one for a row that only one side has.
    static func all(_ table: VerifyReport.Table) -> [Sample] {
      table.samples.flatMap { sample -> [Sample] in
        let key = sample.key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value ?? "NULL")" }.joined(
          separator: ", "
        )
        func line(_ column: String, production: String, staging: String) -> Sample {
          Sample(
            table: table.table,
            kind: sample.kind.rawValue,
            key: key,
            column: column,
            production: production,
            staging: staging
          )
        }
        guard !sample.columns.isEmpty else { return [line("-", production: "-", staging: sample.message ?? "-")] }
        return sample.columns.map { line($0.column, production: $0.old ?? "NULL", staging: $0.new ?? "NULL") }
      }
    }
  }

  private struct Remark {
    let subject: String?
    let text: String
  }

  private static let missing = Template(
    """
    <section aria-labelledby="verification">
    <h2 id="verification">Verification</h2>
    <p>None is recorded for this run. To record one, run <code>merge-engine verify</code> before the next run of its tables.</p>
    </section>
    """
  )

  private static let template = Template(
    """
    <section aria-labelledby="{{id}}">
    <h2 id="{{id}}">{{heading}}</h2>
    <p><span class="status {{mark.tone}}"><span aria-hidden="true">{{mark.symbol}}</span> {{mark.word}}</span> {{verdict}}{{#scope}} <bdi>{{.}}</bdi>{{/scope}}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Verification by table">
    <table>
    <caption>Merged staging rows compared with production. A newer row in production is not a difference.</caption>
    <thead><tr><th scope="col">table</th><th scope="col" class="n">compared</th><th scope="col" class="n">equal</th><th scope="col" class="n">newer in production</th><th scope="col" class="n">missing</th><th scope="col" class="n">outdated</th><th scope="col" class="n">differing</th><th scope="col" class="n">extra</th></tr></thead>
    <tbody>
    {{#counts}}
    <tr><th scope="row"><bdi>{{table}}</bdi></th>{{#cells}}<td class="n">{{.}}</td>{{/cells}}{{#differing}}<td class="n{{#isWrong}} alert{{/isWrong}}">{{count}}</td>{{/differing}}</tr>
    {{/counts}}
    </tbody>
    </table>
    </div>
    {{#hasSamples}}
    <div class="scroll" tabindex="0" role="region" aria-label="Rows that differ">
    <table>
    <caption>Some of the rows that differ</caption>
    <thead><tr><th scope="col">table</th><th scope="col">what</th><th scope="col">key</th><th scope="col">column</th><th scope="col">production</th><th scope="col">staging</th></tr></thead>
    <tbody>
    {{#samples}}
    <tr><th scope="row"><bdi>{{table}}</bdi></th><td>{{kind}}</td><td class="text"><code><bdi>{{key}}</bdi></code></td><td><bdi>{{column}}</bdi></td><td class="text"><bdi>{{production}}</bdi></td><td class="text"><bdi>{{staging}}</bdi></td></tr>
    {{/samples}}
    </tbody>
    </table>
    </div>
    {{/hasSamples}}
    {{#hasMismatches}}
    <div class="scroll" tabindex="0" role="region" aria-label="Columns of different types">
    <table class="fit">
    <caption>Columns whose types differ; the merge casts them</caption>
    <thead><tr><th scope="col">table</th><th scope="col">column</th><th scope="col">production</th><th scope="col">staging</th><th scope="col">verdict</th></tr></thead>
    <tbody>
    {{#mismatches}}
    <tr><th scope="row"><bdi>{{table}}</bdi></th><td><bdi>{{column}}</bdi></td><td>{{production}}{{^production}}-{{/production}}</td><td>{{staging}}{{^staging}}-{{/staging}}</td><td>{{status}}</td></tr>
    {{/mismatches}}
    </tbody>
    </table>
    </div>
    {{/hasMismatches}}
    <ul class="findings">
    {{#remarks}}
    <li>{{#subject}}<strong><bdi>{{.}}</bdi></strong> {{/subject}}<bdi>{{text}}</bdi></li>
    {{/remarks}}
    </ul>
    </section>
    """
  )
}
