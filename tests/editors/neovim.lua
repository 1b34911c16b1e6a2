-- Neovim with the shipped configuration, used through its own functions. Ends with status 0 when all passed.
-- Copied to a configuration folder by the runner; TEST_FOLDER holds the Dockerfiles.

local folder = vim.env.TEST_FOLDER

local function say(text)
  io.stdout:write(text .. '\n')
end

local function check(is_so, what)
  say((is_so and 'ok    ' or 'FAIL  ') .. what)
  if not is_so then
    vim.cmd('cquit 1')
  end
end

local function wait(what, condition)
  check(vim.wait(15000, condition, 20), what)
end

local function text(buffer)
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n') .. '\n'
end

local function open(name)
  vim.cmd.edit(folder .. '/' .. name .. '/Dockerfile')
  return vim.api.nvim_get_current_buf()
end

local function attached(buffer)
  local client = vim.lsp.get_clients({ bufnr = buffer, name = 'buildhush' })[1]
  return client ~= nil and client.initialized
end

local function place(pattern)
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  vim.fn.search(pattern, 'c')
end

local function run()
  local began = vim.uv.hrtime()
  local buffer = open('argument')
  check(vim.bo[buffer].filetype == 'dockerfile', 'the file is a Dockerfile')
  wait('the server is attached', function() return attached(buffer) end)
  wait('one finding', function() return #vim.diagnostic.get(buffer) == 1 end)
  say(('      first finding after %d ms'):format((vim.uv.hrtime() - began) / 1e6))
  local finding = vim.diagnostic.get(buffer)[1]
  check(finding.source == 'buildhush' and finding.code == 'secret-in-arg', 'it says who found it and by which rule')
  check(finding.severity == vim.diagnostic.severity.ERROR, 'it is an error')
  check(finding.lnum == 2 and finding.col == 4 and finding.end_col == 13, 'it stands on the name of the argument')

  place('NPM_TOKEN')
  vim.lsp.buf.hover()
  local float
  wait('a hover window', function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then
        float = window
        return true
      end
    end
  end)
  local shown = text(vim.api.nvim_win_get_buf(float))
  check(shown:find('secret%-in%-arg') ~= nil and shown:find('history') ~= nil, 'it explains the rule')
  vim.api.nvim_win_close(float, true)

  vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.isPreferred end })
  local fixed = '# syntax=docker/dockerfile:1\nFROM node:22\nWORKDIR /app\n'
    .. 'RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN\n'
  wait('the preferred fix gives the text that it promises', function() return text(buffer) == fixed end)
  wait('no finding is left', function() return #vim.diagnostic.get(buffer) == 0 end)

  vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
  local mounts = open('mount')
  wait('the server serves a second file', function() return attached(mounts) end)
  vim.lsp.inlay_hint.enable(true, { bufnr = mounts })
  wait('inlay hints', function() return #vim.lsp.inlay_hint.get({ bufnr = mounts }) > 0 end)

  local lenses = vim.lsp.buf_request_sync(mounts, 'textDocument/codeLens', {
    textDocument = vim.lsp.util.make_text_document_params(mounts),
  }, 5000)
  local titles = {}
  for _, answer in pairs(lenses or {}) do
    for _, lens in ipairs(answer.result or {}) do
      table.insert(titles, lens.command.title)
    end
  end
  check(table.concat(titles, '\n'):find('--secret id=signing_key', 1, true) ~= nil, 'a code lens with the build command')

  place('signing_key')
  vim.lsp.buf.rename('release_key')
  wait('a mount is renamed everywhere', function()
    local now = text(mounts)
    return not now:find('signing_key') and select(2, now:gsub('id=release_key', '')) == 2
  end)

  -- Files that build the image are opened in the server, others of the same kind are not.
  local function open_file(path)
    vim.cmd.edit(folder .. '/callers/' .. path)
    return vim.api.nvim_get_current_buf()
  end
  local compose = open_file('compose.yaml')
  wait('a compose file has its finding', function()
    return attached(compose) and #vim.diagnostic.get(compose) == 1 and vim.diagnostic.get(compose)[1].code == 'secret-in-build-arg'
  end)
  local script = open_file('build.sh')
  wait('so has a script that builds', function() return attached(script) and #vim.diagnostic.get(script) == 1 end)
  for _, name in ipairs({ 'values.yaml', 'run.sh' }) do
    local other = open_file(name)
    vim.wait(200)
    check(#vim.lsp.get_clients({ bufnr = other, name = 'buildhush' }) == 0, name .. ' is left alone')
  end
  local built = open('callers')
  wait('their Dockerfile has its finding', function() return #vim.diagnostic.get(built) == 1 end)
  place('NPM_TOKEN')
  vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.isPreferred end })
  wait('one fix moves the argument to a secret mount', function()
    return text(built):find('type=secret,id=npm_token,env=NPM_TOKEN', 1, true) ~= nil
  end)
  check(
    text(compose) == 'services:\n  web:\n    build:\n      context: .\n      secrets:\n        - npm_token\n\n'
      .. 'secrets:\n  npm_token:\n    environment: NPM_TOKEN\n',
    'and the compose file passes the secret'
  )
  check(text(script) == '#!/bin/sh\ndocker build --secret id=npm_token,env=NPM_TOKEN .\n', 'and so does the script')

  local quiet = open('quiet')
  wait('a folder has its own configuration', function() return attached(quiet) and #vim.diagnostic.get(quiet) == 1 end)
  -- The folder is a root of its own, and Neovim runs a server for each root.
  local client = vim.lsp.get_clients({ bufnr = quiet, name = 'buildhush' })[1]
  client.settings = { buildhush = { ignore = { 'secret-in-arg' } } }
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  wait('a changed setting holds at once', function() return #vim.diagnostic.get(quiet) == 0 end)
end

local is_ok, problem = xpcall(run, debug.traceback)
if not is_ok then
  say('FAIL  ' .. tostring(problem))
  vim.cmd('cquit 2')
end
check(not vim.api.nvim_exec2('messages', { output = true }).output:find('E%d+:'), 'no error of the editor')
vim.cmd('qall!')
