function love.conf(t)
  t.identity = "weft-cards"
  t.window.title = "Crazy eights"
  t.window.width, t.window.height = 1024, 640
  t.window.msaa = 4
  t.window.vsync = 1
  t.modules.audio, t.modules.sound, t.modules.physics, t.modules.joystick, t.modules.video = false, false, false, false, false
end
