package privatepg

// settings are what the server runs with. They stand on its command line, so that a new version
// of Muster brings its own. Durability is left as PostgreSQL has it: on.
func settings() []string {
	return []string{
		"listen_addresses=", "port=5432", "max_connections=100",
		// A list server's working set is small; its pages are in the system's cache besides.
		"shared_buffers=128MB", "work_mem=8MB", "maintenance_work_mem=64MB",
		"wal_compression=on",   // full pages are most of the WAL of small scattered updates
		"random_page_cost=1.1", // no seek on what servers have for disks today
		"jit=off",              // the queries are short
		"timezone=UTC", "log_timezone=UTC",
		// One file a weekday, overwritten a week later: logs that cannot fill the disk.
		"logging_collector=on", "log_directory=../log", "log_filename=postgresql-%a.log",
		"log_truncate_on_rotation=on", "log_rotation_age=1d", "log_rotation_size=0",
	}
}
