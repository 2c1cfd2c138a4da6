package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nginxConf is what a careful operator gives a server of static files: one worker, sendfile, open files kept, no log.
const nginxConf = `%s
worker_processes 1;
pid %[2]s/nginx.pid;
error_log %[2]s/error.log warn;
events {
  worker_connections 4096;
}
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  open_file_cache max=10000 inactive=10m;
  open_file_cache_valid 1m;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  server {
    listen 127.0.0.1:%[3]d;
    root %[4]s;
  }
}
`

// nginx is a running one.
type nginx struct {
	url string
	pid int
	cmd *exec.Cmd
	// ended is closed when the process has ended.
	ended chan struct{}
}

// startNginx starts nginx on the core of the servers, with the files of the stage, and waits until it answers.
func startNginx(ctx context.Context, s *stage) (*nginx, error) {
	dir := filepath.Join(s.dir, "nginx")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its worker could not read the files
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, user, dir, nginxPort, s.files), 0o600); err != nil {
		return nil, err
	}
	n := &nginx{url: "http://127.0.0.1:" + strconv.Itoa(nginxPort), ended: make(chan struct{})}
	n.cmd = exec.Command(s.tools.taskset, "-c", strconv.Itoa(s.serverCPU), s.tools.nginx, "-c", conf, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off;") //nolint:noctx // stop ends it
	n.cmd.Stderr = os.Stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	go func() {
		_ = n.cmd.Wait() // how it ended does not matter
		close(n.ended)
	}()
	if err := n.ready(ctx); err != nil {
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}

// ready waits until nginx answers and its worker is known.
func (n *nginx) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := n.look(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-n.ended:
			return errors.New("nginx has ended")
		case <-ctx.Done():
			return fmt.Errorf("nginx is not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (n *nginx) look(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, n.url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	master := n.cmd.Process.Pid
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	if err != nil {
		return err
	}
	children := strings.Fields(string(b))
	if len(children) != 1 {
		return fmt.Errorf("nginx has workers %q, want one", children)
	}
	n.pid, err = strconv.Atoi(children[0])
	return err
}

// stop ends nginx.
func (n *nginx) stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop nginx: %w", err)
	}
	select {
	case <-n.ended:
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("nginx did not stop"), n.cmd.Process.Kill())
	}
}
