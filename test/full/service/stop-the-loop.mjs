/* Imported before the daemon, it lets its event loop turn no more once SIGUSR2 has come. */
process.on('SIGUSR2', () => {
  for (;;);
});
