import MergeEngine

/// What was found about the tables before the run, and what came up during it.
struct WarningSection {
  private let model: Model

  init(_ run: StoredRun) {
    model = Model(
      entries: run.warnings?.map { Entry(subject: $0.table, message: $0.message) } ?? [],
      emptyNote: run.warnings == nil
        ? "This run predates the version of merge-engine that records warnings." : "There were none."
    )
  }

  var html: String { Self.template.render(model) }

  private struct Model {
    let entries: [Entry]
    let emptyNote: String
  }

  private struct Entry {
    let subject: String?
    let message: String
  }

  private static let template = Template(
    """
    <section aria-labelledby="warnings">
    <h2 id="warnings">Warnings</h2>
    {{^entries}}
    <p>{{emptyNote}}</p>
    {{/entries}}
    <ul class="findings">
    {{#entries}}
    <li>{{#subject}}<strong><bdi>{{.}}</bdi></strong> {{/subject}}<bdi>{{message}}</bdi></li>
    {{/entries}}
    </ul>
    </section>
    """
  )
}
