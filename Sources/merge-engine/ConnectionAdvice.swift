import Libpq

/// What to do about a connection that can't be made, or was lost: by the server's SQLSTATE, never by its words.
enum ConnectionAdvice {
  static func sentence(for error: PostgresError) -> String {
    switch error.sqlState?.code {
    case "28P01", "28000":
      return
        "The server refused the login. Check user and password (--database, DATABASE_URL, PGUSER, ~/.pgpass, "
        + "--password-command), and the server's pg_hba.conf."
    case "3D000":
      return "There is no such database on this server. Check the name (--database, DATABASE_URL, PGDATABASE)."
    case "53300":
      return "The server has no connection left for this role. Try again later, or with fewer --workers."
    case "57P01", "57P02", "57P03":
      return "The server was shut down, or is starting up. Try again once it is up; a merge waits for it for up to "
        + "--reconnect-timeout seconds."
    default:
      break
    }
    if error.operation == PasswordCommand.operation {
      return "Run the command by hand, as this user, and check that its credentials are still valid."
    }
    return error.origin == .connectionLost
      ? "The connection was lost. Run the same command again; a merge tries to reconnect for --reconnect-timeout seconds."
      : "Check host and port (--database, DATABASE_URL, PGHOST, PGPORT), and whether the server is running."
  }
}
