;;; eglot.el --- Emacs with the snippet of server/editors/README.md, used through its own functions  -*- lexical-binding: t -*-

(require 'eglot)
(require 'flymake)

(unless (fboundp 'dockerfile-ts-mode) (message "FAIL  no mode for Dockerfiles") (kill-emacs 1))
;; Emacs' own mode needs a grammar that is installed on first use; what counts here is what the snippet does with a mode.
(define-derived-mode dockerfile-mode prog-mode "Dockerfile")
(add-to-list 'auto-mode-alist '("Dockerfile\\'" . dockerfile-mode))
(load (getenv "SNIPPET") nil t)
(setq eglot-sync-connect 10 eglot-confirm-server-edits nil)

(defun wait-for (what condition)
  "Wait until CONDITION holds and say WHAT, or end Emacs with status 1."
  (let ((end (+ (float-time) 15)))
    (while (and (not (funcall condition)) (< (float-time) end))
      (accept-process-output nil 0.05)))
  (if (funcall condition) (message "ok    %s" what)
    (message "FAIL  %s" what)
    (kill-emacs 1)))

(find-file (expand-file-name "temporary/Dockerfile" (getenv "TEST_FOLDER")))
(call-interactively #'eglot)
(wait-for "the server is attached" (lambda () (eglot-current-server)))
(flymake-start)
(wait-for "one finding" (lambda () (= 1 (length (flymake-diagnostics)))))
(message "      %s" (flymake-diagnostic-text (car (flymake-diagnostics))))
(let ((fix (seq-find (lambda (action) (string-match-p "at the end of this RUN" (plist-get action :title)))
                     (eglot-code-actions (point-min) (point-max) "quickfix" nil))))
  (unless fix (message "FAIL  no quick fix") (kill-emacs 1))
  (eglot-execute (eglot-current-server) fix))
(wait-for "the fix gives the text that it promises"
          (lambda () (string-match-p "deploy /tmp/k && rm -f /tmp/k\n\\'" (buffer-string))))
(eglot--signal-textDocument/didChange) ; Otherwise sent when Emacs is idle, which it never is in batch mode.
(flymake-start)
(wait-for "no finding is left" (lambda () (null (flymake-diagnostics))))
(eglot-shutdown-all)
(kill-emacs 0)
;;; eglot.el ends here
