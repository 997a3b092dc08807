/// What became of one difference.
enum RepairOutcome: Sendable, Hashable {
  case inserted, updated, deleted
  case left(Reason)

  /// Why a row is left alone.
  enum Reason: Sendable, Hashable, CustomStringConvertible {
    case changedSince, insertedSince, deletedSince, deletedWhileVerified
    /// Staging has the row no more, or in another version.
    case goneFromStaging
    /// Staging has the row by now.
    case inStagingByNow
    /// Nothing may be deleted as long as this is so.
    case stagingInDoubt(String)
    case referredTo(by: String)
    case refused(String, dependsOnOtherRows: Bool)
    /// Nothing stood against it, and yet the server has not done it.
    case keptByServer

    var description: String {
      switch self {
      case .changedSince: "changed since"
      case .insertedSince: "inserted since"
      case .deletedSince: "deleted since"
      case .deletedWhileVerified: "deleted while it was being verified"
      case .goneFromStaging: "gone from staging, or changed there"
      case .inStagingByNow: "now in staging"
      case .stagingInDoubt(let why): "not deleted: \(why)"
      case .referredTo(let child): "referred to by \(child)"
      case .refused(let message, _): "refused by the server: \(message)"
      case .keptByServer: "kept as it is by the server or a trigger"
      }
    }

    /// Whether another try may end otherwise, once other rows are mended.
    var dependsOnOtherRows: Bool {
      switch self {
      // A row that refers to it may be gone by now.
      case .referredTo, .keptByServer: true
      case .refused(_, let depends): depends
      default: false
      }
    }
  }
}
