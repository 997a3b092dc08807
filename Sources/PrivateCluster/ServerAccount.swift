import Foundation
import Subprocess

/// The user a server runs as when we are root, whom initdb and postgres refuse.
struct ServerAccount: Sendable {
  let userID: uid_t
  let groupID: gid_t

  /// Whom to become.
  ///
  /// - Returns: nil if we are not root: then the server runs as we do. Else `postgres` if there is one, else `nobody`.
  /// - Throws: ``PrivateClusterError/noUnprivilegedUser``.
  static func forThisProcess() async throws -> ServerAccount? {
    guard geteuid() == 0 else { return nil }
    for name in ["postgres", "nobody"] {
      // `id` and not getpwnam: no pointers, and it asks the same sources.
      if let userID = try await number("-u", of: name), let groupID = try await number("-g", of: name), userID != 0 {
        return ServerAccount(userID: userID, groupID: groupID)
      }
    }
    throw PrivateClusterError.noUnprivilegedUser
  }

  /// The command line that runs `command` as this user, with none of root's other groups.
  ///
  /// On Linux by setpriv, which becomes the command. The platform options would have glibc's setgroups and setuid called
  /// between fork and exec, where they wait for ever for a thread that was just being made when the fork came.
  func command(_ command: [String], options: inout PlatformOptions) -> [String] {
    #if os(Linux)
      return ["/usr/bin/setpriv", "--reuid=\(userID)", "--regid=\(groupID)", "--clear-groups", "--"] + command
    #else
      options.userID = userID
      options.groupID = groupID
      options.supplementaryGroups = []
      return command
    #endif
  }

  private static func number(_ option: String, of name: String) async throws -> UInt32? {
    try await ShortProgram.output(of: "/usr/bin/id", [option, name]).flatMap { UInt32($0) }
  }
}
