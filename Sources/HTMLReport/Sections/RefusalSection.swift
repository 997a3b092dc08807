import MergeEngine

/// The rows that the server refused, by reason.
struct RefusalSection {
  private let model: Model

  init(_ run: StoredRun) {
    let shown = run.refusals.reduce(0) { $0 + $1.count }
    model = Model(
      hasRefusals: !run.refusals.isEmpty,
      groups: run.refusals.map(Group.init),
      omitted: run.refusalReasonCount > run.refusals.count
        ? "\(Numbers.grouped(run.refusalReasonCount - run.refusals.count)) more reasons with fewer rows each are not "
          + "shown; the \(Numbers.grouped(run.refusals.count)) above account for \(Numbers.grouped(shown)) rows. "
          + "merge-engine errors list has them all." : nil,
      standing: Self.standing(run)
    )
  }

  var html: String { Self.template.render(model) }

  /// As `errors list` and `status` have it at the same moment.
  private static func standing(_ run: StoredRun) -> String {
    let count = run.standingRefusalCount
    guard count > 0 else { return "No refused row of the run's tables stands open now." }
    return "\(Numbers.counted(count, "refused row")) of the run's tables \(count == 1 ? "stands" : "stand") open now, "
      + "whichever run refused \(count == 1 ? "it" : "them"): merge-engine errors list."
  }

  private struct Model {
    let hasRefusals: Bool
    let groups: [Group]
    let omitted: String?
    let standing: String
  }

  private struct Group {
    let count: String
    let table: String
    let sqlState: String
    let condition: String?
    let message: String
    let keys: [String]
    let remaining: String?
    let retried: String?
    let dismissed: String?

    init(_ group: RefusalGroup) {
      count = Numbers.grouped(group.count)
      table = group.table
      sqlState = group.sqlState.isEmpty ? "-" : group.sqlState
      condition = ConditionName.of(group.sqlState)
      message = group.message
      keys = group.sampleKeys
      let rest = group.count - group.sampleKeys.count
      remaining = rest > 0 ? Numbers.grouped(rest) : nil
      retried = group.retriedCount > 0 ? Numbers.grouped(group.retriedCount) : nil
      dismissed = group.dismissedCount > 0 ? Numbers.grouped(group.dismissedCount) : nil
    }
  }

  private static let template = Template(
    """
    <section aria-labelledby="refused">
    <h2 id="refused">Refused rows</h2>
    {{^hasRefusals}}
    <p>The server refused no row.</p>
    {{/hasRefusals}}
    {{#hasRefusals}}
    <div class="scroll" tabindex="0" role="region" aria-label="Refused rows by reason">
    <table>
    <caption>Quarantined staging rows by table and reason, most rows first. Once the cause is fixed, merge-engine errors retry has them read again.</caption>
    <thead><tr><th scope="col" class="n">rows</th><th scope="col">table</th><th scope="col">SQLSTATE</th><th scope="col">what the server said</th><th scope="col">keys</th></tr></thead>
    <tbody>
    {{#groups}}
    <tr><td class="n alert">{{count}}</td><th scope="row"><bdi>{{table}}</bdi></th><td><code>{{sqlState}}</code>{{#condition}}<br><small>{{.}}</small>{{/condition}}</td><td class="text"><bdi>{{message}}</bdi>{{#retried}}<br><small>{{.}} of them were retried since.</small>{{/retried}}{{#dismissed}}<br><small>{{.}} of them were dismissed since.</small>{{/dismissed}}</td><td class="text keys">{{#keys}}<code><bdi>{{.}}</bdi></code><br>{{/keys}}{{#remaining}}<small>and {{.}} more</small>{{/remaining}}</td></tr>
    {{/groups}}
    </tbody>
    </table>
    </div>
    {{#omitted}}
    <p class="note">{{.}}</p>
    {{/omitted}}
    {{/hasRefusals}}
    <p class="note">{{standing}}</p>
    </section>
    """
  )
}
